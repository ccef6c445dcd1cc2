-- When the server took a certificate: younger ones have no say in changes that wait (docs/identity.md §7). Those of the releases before are old.
ALTER TABLE device_certificate ADD COLUMN certified_at timestamptz NOT NULL DEFAULT '1970-01-01';
ALTER TABLE device_certificate ALTER COLUMN certified_at SET DEFAULT now();

-- The change of an account's device list that waits, so that others can refuse it.
CREATE TABLE pending_list_change (
  account_id   bigint PRIMARY KEY REFERENCES account (id),
  number       int NOT NULL, -- of its last entry
  hash         bytea NOT NULL, -- SHA-256 of its last entry, which proofs are about
  signers      int[] NOT NULL, -- numbers of the certificates whose entries have to wait
  entries      bytea[] NOT NULL,
  head         bytea NOT NULL,
  effective_at timestamptz NOT NULL
);
CREATE INDEX pending_list_change_due ON pending_list_change (effective_at);

ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_kind_check CHECK (kind IN (
  'welcome', 'key-packages.low', 'group.deleted', 'group.leaving', 'group.frozen', 'resync',
  'device.added', 'device.revoked', 'identity.changed', 'device-list.changed', 'device-list.pending', 'device-list.dropped'
)) NOT VALID;
