-- What a follower knows of its own clients in rooms of hubs that speak nothing but the draft (docs/federation-draft-06.md), whose hubs say neither who joined
-- nor who left. `leaf_index` is where the client stands in the group's tree, once that is known: Commits name whom they remove by it. `tree` comes with
-- the Welcome, whose bytes `welcome_hash` stands for: the hub has no other way to give it to the joiner.
CREATE TABLE draft_member (
  gid bigint NOT NULL REFERENCES groups (gid) ON DELETE CASCADE,
  device_id bigint NOT NULL,
  leaf_index integer,
  welcome_hash bytea,
  tree bytea STORAGE EXTERNAL,
  PRIMARY KEY (device_id, gid)
);
CREATE INDEX draft_member_by_group ON draft_member (gid);
