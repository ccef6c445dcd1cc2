-- Who stopped a group, until when its place is reserved, and which id its ReInit announced (docs/adr/0030-rooms.md).
ALTER TABLE groups
  ADD COLUMN frozen_at timestamptz,
  ADD COLUMN frozen_by bigint,             -- account of the committer of the ReInit, or of who reset it; NULL: frozen by a release before
  ADD COLUMN reserved_until timestamptz,   -- up to then only an admin, and reserved_for, may create the successor, and an admin may undo the reset
  ADD COLUMN reserved_for bigint,          -- besides the admins: who reset it by reports
  ADD COLUMN announced_group_id bytea,     -- of the successor, by the ReInit: nobody else may take it; NULL after a reset
  ADD COLUMN predecessor_gid bigint,       -- the group whose place this one took
  ADD COLUMN stops integer NOT NULL DEFAULT 0; -- how often the members had to be told that it stopped, has a successor, or goes on
ALTER TABLE peer_cursor ADD COLUMN told_stops integer NOT NULL DEFAULT 0; -- groups.stops as the peer has heard of it
CREATE UNIQUE INDEX groups_announced ON groups (announced_group_id) WHERE announced_group_id IS NOT NULL;

-- Devices that were removed from a group that this one succeeds: like group_outcast, but for users who still have another device in.
CREATE TABLE outcast_device (gid bigint NOT NULL, device_id bigint NOT NULL, PRIMARY KEY (gid, device_id));
ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check
  CHECK (kind IN ('welcome', 'key-packages.low', 'group.deleted', 'group.leaving', 'group.frozen', 'resync'));
