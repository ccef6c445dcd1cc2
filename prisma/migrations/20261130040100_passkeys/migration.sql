-- Who may act for an account without a session is found by these, so that nobody makes the server verify a list that they hold no key of.
-- NULL: a device's certificate, or one that the release before wrote.
ALTER TABLE device_certificate ADD COLUMN holder_key bytea, -- the canonical public key of a recovery key or passkey
  ADD COLUMN rp_id text; -- of a passkey
-- The canonical identity key; empty: it has ended. NULL: the release before wrote the row.
ALTER TABLE device_list ADD COLUMN identity_key bytea;
