-- A device that asks to leave is delivered nothing from then on, though its membership ends later (docs/architecture.md §4).
ALTER TABLE member ADD COLUMN read_until bigint;      -- it asked to leave: the last seq that it reads, whatever until_seq will be
CREATE INDEX member_leaving ON member (gid, read_until) WHERE read_until IS NOT NULL;
