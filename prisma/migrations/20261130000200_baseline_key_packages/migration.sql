-- KeyPackages (RFC 9420 §10) and where their Welcomes go. Written by SQL functions only, never by Prisma, and without
-- foreign keys: a claim must not lock the device's row.

CREATE TABLE key_package (
  device_id     bigint      NOT NULL,
  id            bigint      GENERATED ALWAYS AS IDENTITY,
  cipher_suite  integer     NOT NULL,
  last_resort   boolean     NOT NULL,
  expires_at    timestamptz NOT NULL,              -- not_after of the leaf's lifetime
  ref           bytea       NOT NULL,              -- KeyPackageRef, RFC 9420 §5.2
  signature_key bytea       NOT NULL,              -- as the leaf spells it
  extensions    integer[]   NOT NULL,              -- what the leaf's capabilities list, to answer required_capabilities
  proposals     integer[]   NOT NULL,
  credentials   integer[]   NOT NULL,
  bytes         bytea       NOT NULL,              -- the MLSMessage as uploaded
  PRIMARY KEY (device_id, id)
);
-- Keys are random: trying to compress them is a waste.
ALTER TABLE key_package ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- A repeated upload finds its earlier self here, and waits here for a claim of the same KeyPackage in flight.
CREATE UNIQUE INDEX key_package_once ON key_package (device_id, ref);
-- The path of a claim: the oldest one of a suite comes first.
CREATE INDEX key_package_claimable ON key_package (device_id, cipher_suite, id) WHERE NOT last_resort;
CREATE UNIQUE INDEX key_package_one_last_resort ON key_package (device_id, cipher_suite) WHERE last_resort;
CREATE INDEX key_package_expiry ON key_package (expires_at);

-- Every KeyPackage that may have been handed out. Welcomes are routed by it, and what stands here is never stored
-- again: a repeated upload must not bring back what has been handed out. Last resort ones are entered on upload.
CREATE TABLE key_package_claim (
  ref          bytea       PRIMARY KEY,
  device_id    bigint      NOT NULL,
  cipher_suite integer     NOT NULL,
  last_resort  boolean     NOT NULL,
  expires_at   timestamptz NOT NULL,
  used         boolean     NOT NULL DEFAULT false   -- a Welcome that answers it was accepted: a repeated claim by a peer gets another one
);
CREATE INDEX key_package_claim_by_device ON key_package_claim (device_id, cipher_suite);
CREATE INDEX key_package_claim_expiry ON key_package_claim (expires_at);
