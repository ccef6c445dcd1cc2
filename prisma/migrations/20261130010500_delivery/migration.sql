-- A device may end its delivery before its membership ends, or have it rest (docs/architecture.md §7).
ALTER TABLE member
  ADD COLUMN read_until bigint,                       -- it asked to leave: the last seq that it reads, whatever until_seq will be
  ADD COLUMN delivery text NOT NULL DEFAULT 'all' CHECK (delivery IN ('all', 'muted', 'blocked'));
CREATE INDEX member_leaving ON member (gid, read_until) WHERE read_until IS NOT NULL;
