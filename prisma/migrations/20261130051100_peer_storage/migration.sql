-- What other providers keep in the database of this one (src/federation/quotas/). The counts follow groups.bytes, by a trigger.

-- A replica: which hub writes into it, by whom it came here, and how far the members here have taken it up. The row goes with the group.
CREATE TABLE replica_storage (
  gid bigint PRIMARY KEY,
  hub text NOT NULL,
  account_id bigint,                 -- the local user whose device joined first; NULL: was erased
  stage smallint NOT NULL DEFAULT 0, -- 0: nobody here has taken it up; 1: somebody has; 2: it is read here
  held_back_at timestamptz,          -- when a batch was last held back; NULL: none is waiting
  CONSTRAINT replica_storage_stage_check CHECK (stage BETWEEN 0 AND 2)
);
CREATE INDEX replica_storage_by_account ON replica_storage (account_id);
CREATE INDEX replica_storage_new ON replica_storage (gid) WHERE stage = 0;

-- All replicas of a hub; its row is locked while a batch is judged and stored.
CREATE TABLE peer_storage (
  domain text PRIMARY KEY,
  bytes bigint NOT NULL DEFAULT 0,
  new_bytes bigint NOT NULL DEFAULT 0,    -- of replicas at stage 0
  new_groups integer NOT NULL DEFAULT 0,
  foreign_users integer NOT NULL DEFAULT 0,   -- users of this provider that are written down here
  foreign_devices integer NOT NULL DEFAULT 0, -- and their devices
  minute_at timestamptz,                  -- begin of the minute in which it sent minute_bytes
  minute_bytes bigint NOT NULL DEFAULT 0,
  held_back_at timestamptz,
  held_back text                          -- which limit was reached then
) WITH (fillfactor = 50);

-- The same for the replicas that came here by one local user.
CREATE TABLE peer_user_storage (
  domain text NOT NULL,
  account_id bigint NOT NULL,
  bytes bigint NOT NULL DEFAULT 0,
  new_bytes bigint NOT NULL DEFAULT 0,
  new_groups integer NOT NULL DEFAULT 0,
  PRIMARY KEY (domain, account_id)
) WITH (fillfactor = 50);
CREATE INDEX peer_user_storage_by_account ON peer_user_storage (account_id);

-- Replicas from before count as read.
INSERT INTO replica_storage (gid, hub, account_id, stage)
SELECT f.gid, f.hub, (
         SELECT d.account_id FROM member m JOIN device d ON d.id = m.device_id WHERE m.gid = f.gid ORDER BY m.from_seq, m.device_id LIMIT 1
       ), 2
  FROM followed_group f JOIN groups g ON g.gid = f.gid WHERE g.deleted_at IS NULL;
INSERT INTO peer_storage (domain, bytes) SELECT r.hub, sum(g.bytes) FROM replica_storage r JOIN groups g USING (gid) GROUP BY r.hub;
INSERT INTO peer_user_storage (domain, account_id, bytes)
SELECT r.hub, r.account_id, sum(g.bytes) FROM replica_storage r JOIN groups g USING (gid) WHERE r.account_id IS NOT NULL GROUP BY r.hub, r.account_id;
