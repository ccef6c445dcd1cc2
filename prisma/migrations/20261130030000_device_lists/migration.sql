-- Device lists of the users here (docs/identity.md §2), which their own keys sign. The newest list of each account that has one.
CREATE TABLE device_list (
  account_id      bigint PRIMARY KEY REFERENCES account (id),
  identity        bytea NOT NULL, -- SHA-256 of entry 1
  number          int NOT NULL, -- of the last entry
  hash            bytea NOT NULL, -- SHA-256 of the last entry
  head            bytea NOT NULL, -- the whole DeviceListHead
  head_issued_at  timestamptz NOT NULL,
  head_expires_at timestamptz NOT NULL,
  identities      int NOT NULL DEFAULT 1 -- how many the account has had: more than one after an operator's invitation
);

-- Every entry of every list, those of former identities included.
CREATE TABLE device_list_entry (
  account_id bigint NOT NULL REFERENCES account (id),
  identity   bytea NOT NULL,
  number     int NOT NULL,
  bytes      bytea NOT NULL, -- the whole DeviceListEntry
  PRIMARY KEY (account_id, identity, number)
);

-- What the entries say about certificates, so that statements can ask.
CREATE TABLE device_certificate (
  account_id bigint NOT NULL REFERENCES account (id),
  identity   bytea NOT NULL,
  number     int NOT NULL, -- of the entry
  kind       smallint NOT NULL, -- HolderKind: 1 device, 2 recovery key, 3 passkey
  device_id  bigint REFERENCES device (id), -- NULL: not of a device
  rights     smallint NOT NULL,
  not_before timestamptz NOT NULL,
  not_after  timestamptz NOT NULL,
  ended      int, -- number of the entry that ended it, 0 with its identity; NULL: active
  PRIMARY KEY (account_id, identity, number)
);
CREATE INDEX device_certificate_active ON device_certificate (device_id) WHERE ended IS NULL;

-- The lists that other providers gave of their users.
CREATE TABLE foreign_device_list (
  account_id bigint PRIMARY KEY REFERENCES account (id),
  identity   bytea NOT NULL,
  number     int NOT NULL,
  identities int NOT NULL,
  entries    bytea[] NOT NULL, -- entry i at i
  head       bytea NOT NULL,
  fetched_at timestamptz NOT NULL
);

-- Number of the active certificate in the account's list that names this key. NULL: none does.
ALTER TABLE signature_key ADD COLUMN certificate int;

-- A user has begun a new identity: the members of these groups are still to be told, from this device on.
CREATE TABLE identity_notice (
  account_id   bigint NOT NULL REFERENCES account (id),
  gid          bigint NOT NULL,
  after_device bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, gid)
);
