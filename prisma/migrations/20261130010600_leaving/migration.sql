-- Where the server proposes no Remove, the members are told who is to go (prisma/functions/delivery.sql, note_removal).
ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check CHECK (kind IN ('welcome', 'key-packages.low', 'group.deleted', 'group.leaving', 'resync'));
ALTER TABLE pending_removal ADD COLUMN told boolean NOT NULL DEFAULT false;  -- the members have group.leaving in their inboxes
-- Leaves that members of private groups have shown: nothing is signed for them any more.
UPDATE pending_removal r SET leaf_index = NULL FROM groups g WHERE g.gid = r.gid AND g.mode = 'private' AND r.leaf_index IS NOT NULL;
