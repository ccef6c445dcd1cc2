-- Who reads which part of a log, and what devices find beside it (docs/architecture.md §1, §7). SQL functions write these tables.

-- Membership is intervals. `acked` is a cursor; it is written often and never indexed.
CREATE TABLE member (
  device_id  bigint NOT NULL,
  gid        bigint NOT NULL,
  from_seq   bigint NOT NULL,                     -- first seq this interval reads
  until_seq  bigint,                              -- last seq it reads (the removing Commit); NULL while a member
  join_epoch bigint NOT NULL,                     -- application entries below this epoch are not for this member
  acked      bigint NOT NULL,                     -- cumulative: all seqs <= acked are done with
  resync     boolean NOT NULL DEFAULT false,      -- fell behind retention: told to rejoin
  ended      text CHECK (ended IN ('removed', 'left', 'revoked', 'resync')),   -- why until_seq is set
  PRIMARY KEY (device_id, gid, from_seq)
) WITH (fillfactor = 80);
-- A group may have had many members. By the entries of its log: who joined by which (from_seq - 1: an index of from_seq itself would be taken
-- where the primary key is meant, and half a group has joined with one entry), and who left. And who is in it now.
CREATE INDEX member_by_join ON member (gid, (from_seq - 1));
CREATE INDEX member_by_leave ON member (gid, until_seq) WHERE until_seq IS NOT NULL;
CREATE INDEX member_present ON member (gid, device_id) WHERE until_seq IS NULL;

-- One row per Welcome message and Commit; inbox rows point at it.
CREATE TABLE welcome (
  gid bigint NOT NULL, seq bigint NOT NULL, ordinal integer NOT NULL, epoch bigint NOT NULL, bytes bytea NOT NULL,
  expires_at timestamptz NOT NULL,                -- the latest expiry of the KeyPackages it answers
  PRIMARY KEY (gid, seq, ordinal)
);
CREATE INDEX welcome_expiry ON welcome (expires_at);

CREATE TABLE inbox (
  device_id  bigint NOT NULL,
  id         bigint GENERATED ALWAYS AS IDENTITY,
  kind       text   NOT NULL CHECK (kind IN ('welcome', 'key-packages.low', 'group.deleted', 'resync')),
  gid        bigint,
  seq        bigint,                              -- welcome: seq of its Commit
  ordinal    integer,                             -- welcome: which one
  payload    jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (device_id, id)
);
CREATE INDEX inbox_by_group ON inbox (gid, seq, device_id) WHERE gid IS NOT NULL;

-- News of devices that no other row tells cheaply, for the sweep of nodes that missed the hint (§7): a device's memberships changed, or it
-- opened a stream. Comparing memberships themselves instead (count and sum per device) takes 350 ms for 10,000 devices in 50 groups each
-- (PostgreSQL 15, 1,000,000 rows, index-only scan), on every node every two seconds; reading what changed since the last sweep takes
-- less than a millisecond, however many devices and groups there are.
--
-- Transactions do not end in the order in which they begin, so neither ids nor times are a cursor. `xid` is: what is not visible to a
-- snapshot belongs to a transaction that is not below that snapshot's xmin, from which the next sweep reads on. Rows live for minutes.
CREATE TABLE device_news (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  device_id bigint NOT NULL,
  stream_id text,                                 -- the stream that was opened; NULL: memberships changed
  xid       xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX device_news_by_xid ON device_news (xid);
