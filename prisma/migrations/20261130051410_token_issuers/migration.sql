-- Hubs whose send tokens users here have asked for: the keys that were seen in time, which are the only ones that count. `keys` is a list of
-- {token_key, not_before, redeem_until}: base64url with padding as in the directory, and Unix seconds.
CREATE TABLE token_issuer (
  issuer text PRIMARY KEY,
  keys jsonb NOT NULL,
  batch_size integer NOT NULL,
  used_at timestamptz NOT NULL DEFAULT now(),
  -- Why its last directory was not believed; null: it was.
  refusal text
);
CREATE INDEX token_issuer_by_use ON token_issuer (used_at);
