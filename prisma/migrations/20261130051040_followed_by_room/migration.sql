-- Groups that were found by their room, and that no device here has joined.
CREATE INDEX CONCURRENTLY IF NOT EXISTS followed_group_found ON followed_group (room_id) WHERE gid IS NULL;
