-- In which dialect the entries of a replica come: those of the profile are signed and chained, those of the draft are neither. A hub that may use both
-- writes each group in one.
ALTER TABLE followed_group ADD COLUMN dialect text NOT NULL DEFAULT 'profile';
ALTER TABLE followed_group ADD CONSTRAINT followed_group_dialect_check CHECK (dialect IN ('profile', 'draft')) NOT VALID;
UPDATE followed_group f SET dialect = 'draft' WHERE EXISTS (SELECT FROM draft_member d WHERE d.gid = f.gid);

-- The trees that came with Welcomes of hubs that speak nothing but the draft, once for each group and tree. `hash` is SHA-256 of the tree.
CREATE TABLE draft_tree (
  gid bigint NOT NULL REFERENCES groups (gid) ON DELETE CASCADE,
  hash bytea NOT NULL,
  bytes bytea STORAGE EXTERNAL NOT NULL,
  PRIMARY KEY (gid, hash)
);
-- draft_member.tree is not used any more; a later release drops it.
ALTER TABLE draft_member ADD COLUMN tree_hash bytea;
INSERT INTO draft_tree (gid, hash, bytes) SELECT DISTINCT d.gid, sha256(d.tree), d.tree FROM draft_member d WHERE d.tree IS NOT NULL;
UPDATE groups g SET bytes = g.bytes + t.size FROM (SELECT gid, sum(octet_length(bytes)) AS size FROM draft_tree GROUP BY gid) t WHERE t.gid = g.gid;
UPDATE draft_member SET tree_hash = sha256(tree), tree = NULL WHERE tree IS NOT NULL;

-- What a hub of the draft has accepted and what could not be placed yet: it is not sent to the hub again. `hash` is SHA-256 of the MLSMessage.
CREATE TABLE draft_taken (
  hash bytea NOT NULL,
  room_id text NOT NULL,
  accepted_at timestamptz NOT NULL,
  taken_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (hash, room_id)
);
CREATE INDEX draft_taken_at ON draft_taken (taken_at);
