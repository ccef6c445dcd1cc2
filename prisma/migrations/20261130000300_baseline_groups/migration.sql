-- Groups and their log (docs/architecture.md §1). SQL functions write these tables, never Prisma. No foreign keys: every row is written
-- by a function that holds the lock of the group's row.

-- What every submission returns. `epoch` is the group's epoch after the entry; with a refusal, its current one.
CREATE TYPE submission AS (outcome text, seq bigint, epoch bigint, chain bytea, incarnation integer);

CREATE TABLE groups (
  gid             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  group_id        bytea    NOT NULL UNIQUE,
  incarnation     integer  NOT NULL DEFAULT 1,
  mode            text     NOT NULL CHECK (mode IN ('public', 'private')),
  cipher_suite    integer  NOT NULL,
  epoch           bigint   NOT NULL,
  head_seq        bigint   NOT NULL DEFAULT 0,
  head_chain      bytea    NOT NULL,              -- SHA-256 chain value of the entry at head_seq (§1)
  post_floor      bigint   NOT NULL DEFAULT 0,    -- lowest epoch whose application messages are taken (§4 windows)
  chain_from_seq  bigint   NOT NULL DEFAULT 0,    -- later entries chain from this incarnation's initial value
  floor_seq       bigint   NOT NULL DEFAULT 0,    -- entries up to here may have been retired by retention
  room_id         text     NOT NULL,
  frozen          text     CHECK (frozen IN ('reinit', 'reset')),
  successor_group_id bytea,
  created_at      timestamptz NOT NULL DEFAULT now(),
  deleted_at      timestamptz
) WITH (fillfactor = 50);                          -- every append updates its row: leave room for HOT updates

CREATE TABLE log (
  gid         bigint      NOT NULL,
  seq         bigint      NOT NULL,
  kind        char(1)     NOT NULL CHECK (kind IN ('c', 'p', 'a')),   -- commit, proposal, application
  epoch       bigint      NOT NULL,
  accepted_at timestamptz NOT NULL,               -- never an order; rounded to a second for application entries
  hash        bytea       NOT NULL,               -- SHA-256 of bytes
  chain       bytea       NOT NULL,               -- log_chain(previous chain, seq, kind, epoch, hash)
  bytes       bytea       NOT NULL,
  PRIMARY KEY (gid, seq)
) PARTITION BY HASH (gid);

DO $$
BEGIN
  FOR part IN 0..15 LOOP
    EXECUTE format('CREATE TABLE log_%s PARTITION OF log FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
    -- Ciphertext does not compress: storing it uncompressed and out of line spares the attempt.
    EXECUTE format('ALTER TABLE log_%s ALTER COLUMN bytes SET STORAGE EXTERNAL', part);
  END LOOP;
END $$;
ALTER TABLE log ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- Invariant 1 holds even if the function is wrong. Private application data never enters this index.
CREATE UNIQUE INDEX log_one_commit_per_epoch ON log (gid, epoch) WHERE kind = 'c';
CREATE INDEX log_by_hash ON log (gid, hash);
-- Replay and the 409 look for handshakes, which may lie among hundreds of thousands of messages.
CREATE INDEX log_handshakes ON log (gid, seq) WHERE kind IN ('c', 'p');

-- Beside a private Commit: what its bundle claimed to remove, for members to compare (§4).
CREATE TABLE commit_claim (
  gid bigint NOT NULL, seq bigint NOT NULL, removed_clients text[] NOT NULL, reinit boolean NOT NULL,
  PRIMARY KEY (gid, seq)
);

-- Where the incarnations after the first began: entries after `from_seq` chain from that incarnation's initial value, up to the next
-- one's. `groups.chain_from_seq` is the last of them. A provider that follows a group across a restore gets each part under its own incarnation.
CREATE TABLE incarnation_start (
  gid         bigint  NOT NULL,
  incarnation integer NOT NULL,
  from_seq    bigint  NOT NULL,
  PRIMARY KEY (gid, incarnation)
);

CREATE TABLE group_info (gid bigint NOT NULL, epoch bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (gid, epoch));
-- Private mode with external joins only: the tree the committer uploaded for that epoch.
CREATE TABLE group_tree (gid bigint NOT NULL, epoch bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (gid, epoch));
-- Public mode: the serialized public group state (§6), from which later epochs are replayed.
CREATE TABLE group_snapshot (gid bigint NOT NULL, epoch bigint NOT NULL, seq bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (gid, epoch));

CREATE TABLE room (room_id text PRIMARY KEY, current_gid bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE group_policy (
  gid bigint PRIMARY KEY,
  external_join   text NOT NULL CHECK (external_join IN ('same-user', 'code', 'open', 'none')),
  join_code_hash  bytea,                          -- SHA-256 of the code, when external_join = 'code'
  add_members     text NOT NULL CHECK (add_members IN ('members', 'admins')),
  remove_members  text NOT NULL CHECK (remove_members IN ('members', 'admins')),
  reports_to_reset integer NOT NULL,              -- reset by distinct reporting users, besides admins
  version         bigint NOT NULL DEFAULT 1       -- compare-and-set for changes
);
CREATE TABLE group_admin (gid bigint NOT NULL, user_id bigint NOT NULL, PRIMARY KEY (gid, user_id));
CREATE TABLE group_ban (gid bigint NOT NULL, user_id bigint NOT NULL, PRIMARY KEY (gid, user_id));
-- Users who had been removed from the group this one succeeds: they do not come back by an external join (§4).
CREATE TABLE group_outcast (gid bigint NOT NULL, user_id bigint NOT NULL, PRIMARY KEY (gid, user_id));

-- Devices on their way out: asked to leave, or revoked. Cleared by the Commit that removes them.
CREATE TABLE pending_removal (
  gid bigint NOT NULL, device_id bigint NOT NULL,
  leaf_index integer,                             -- NULL where the server does not know it (private mode)
  reason text NOT NULL CHECK (reason IN ('leave', 'revoke')),
  proposed_epoch bigint,                          -- the epoch for which a Remove stands in the log; without a leaf, for which none can be made
  PRIMARY KEY (gid, device_id)
);

CREATE TABLE commit_report (
  gid bigint NOT NULL, seq bigint NOT NULL, user_id bigint NOT NULL, reason text NOT NULL,
  reported_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (gid, seq, user_id)
);

-- The server's keys as an external sender (RFC 9420 §12.1.8.1), one per signature scheme, for all nodes and groups.
-- Groups list the public keys in their GroupContext, so a key is never replaced, only added beside.
CREATE TABLE external_sender_key (
  scheme         integer PRIMARY KEY,              -- TLS SignatureScheme
  public_key     bytea NOT NULL,                   -- as in the ExternalSender struct
  sealed_private bytea NOT NULL,                   -- PKCS #8, sealed under the server secret
  created_at     timestamptz NOT NULL DEFAULT now()
);
