-- What shows a follower that a device here joined a group of another hub: docs/federation-profile.md, Checking a batch.
-- A Commit from outside that was passed on for a device. `hash` is that of the MLSMessage, as in the log.
CREATE TABLE passed_commit (
  hash bytea NOT NULL,
  room_id text NOT NULL,
  device_id bigint NOT NULL,
  passed_at timestamptz NOT NULL DEFAULT now(),
  used_gid bigint,
  used_seq bigint,
  PRIMARY KEY (room_id, hash)
);
CREATE INDEX passed_commit_by_device ON passed_commit (device_id);
CREATE INDEX passed_commit_by_age ON passed_commit (passed_at);

-- A KeyPackage that was handed out for a room of another hub. It counts for one join there, of which `used_hash` is the Commit.
CREATE TABLE handed_out_key_package (
  ref bytea NOT NULL,
  room_id text NOT NULL,
  device_id bigint NOT NULL,
  expires_at timestamptz NOT NULL,
  used_gid bigint,
  used_seq bigint,
  used_hash bytea,
  PRIMARY KEY (room_id, ref)
);
CREATE INDEX handed_out_key_package_by_device ON handed_out_key_package (device_id);
CREATE INDEX handed_out_key_package_expiry ON handed_out_key_package (expires_at);
