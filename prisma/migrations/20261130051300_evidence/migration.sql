-- Directories of hubs as they were signed: what they have signed with keys that are gone since can be checked by them.
CREATE TABLE kept_directory (
  domain text NOT NULL,
  hash bytea NOT NULL,
  keys text[] NOT NULL,
  key_ids text[] NOT NULL,
  changed boolean NOT NULL,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  document text NOT NULL,
  kept_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (domain, hash)
);

-- Signed heads of replicas before the latest, where a new stretch of the log begins and every few hundred entries.
CREATE TABLE kept_head (
  gid bigint NOT NULL,
  incarnation integer NOT NULL,
  seq bigint NOT NULL,
  head text NOT NULL,
  directory bytea,
  PRIMARY KEY (gid, incarnation, seq)
);

ALTER TABLE followed_group ADD COLUMN head text, ADD COLUMN head_directory bytea, ADD COLUMN accepted_incarnation integer;
ALTER TABLE followed_group DROP COLUMN head_signature, DROP COLUMN head_key_id;
ALTER TABLE peer_deletion ADD COLUMN receipt_directory bytea;
ALTER TABLE peer_erasure ADD COLUMN receipt_directory bytea;
ALTER TABLE followed_group DROP CONSTRAINT followed_group_stopped_check;
ALTER TABLE followed_group ADD CONSTRAINT followed_group_stopped_check CHECK (stopped IN ('equivocation', 'rewritten')) NOT VALID;

-- What hubs have signed against themselves, as files that anybody can check. Without a document there is no proof, only the finding.
CREATE TABLE evidence (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hub text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('two-histories', 'new-incarnation', 'two-rooms', 'two-modes')),
  group_id bytea NOT NULL,
  room_id text NOT NULL,
  incarnation integer NOT NULL,
  seq bigint NOT NULL,
  why text NOT NULL,
  document text,
  stops boolean NOT NULL,
  found_at timestamptz NOT NULL DEFAULT now(),
  closed_at timestamptz
);
CREATE UNIQUE INDEX evidence_open ON evidence (hub, group_id, kind, incarnation, seq) WHERE closed_at IS NULL;

INSERT INTO evidence (hub, kind, group_id, room_id, incarnation, seq, why, stops, found_at)
SELECT DISTINCT ON (f.hub, e.group_id, e.incarnation, e.seq) f.hub, 'two-histories', e.group_id, f.room_id, e.incarnation, e.seq, 'found by a release that kept no proof', true, e.detected_at
  FROM equivocation e JOIN followed_group f USING (group_id) ORDER BY f.hub, e.group_id, e.incarnation, e.seq, e.detected_at;
DROP TABLE equivocation;

-- New incarnations that hubs began: how often is limited.
CREATE TABLE incarnation_begun (
  gid bigint NOT NULL,
  incarnation integer NOT NULL,
  hub text NOT NULL,
  kept_seq bigint NOT NULL,
  vanished bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (gid, incarnation)
);
CREATE INDEX incarnation_begun_by_hub ON incarnation_begun (hub, at);

-- Entries that a new incarnation has taken out of a replica, for the members who had read them.
CREATE TABLE vanished_entry (
  gid bigint NOT NULL,
  incarnation integer NOT NULL,
  seq bigint NOT NULL,
  kind text NOT NULL,
  epoch bigint NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (gid, incarnation, seq)
);
