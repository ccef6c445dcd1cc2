-- The groups of a room that are followed here: when the current one is forgotten, another one takes its place.
CREATE INDEX CONCURRENTLY IF NOT EXISTS followed_group_in_room ON followed_group (room_id) WHERE gid IS NOT NULL;
