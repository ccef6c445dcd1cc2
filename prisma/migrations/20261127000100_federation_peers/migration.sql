-- Who this provider is to others, and who they are (DESIGN §8).

-- Ed25519 keys that sign this provider's requests, responses and log heads. Published before they sign, and for a while after.
CREATE TABLE provider_key (
  key_id          text PRIMARY KEY,
  public_key      bytea NOT NULL,                 -- 32 bytes
  sealed_private  bytea NOT NULL,                 -- PKCS #8, sealed under the server secret
  signs_from      timestamptz NOT NULL,
  signs_until     timestamptz,
  published_until timestamptz
);

-- Other providers, from the first time that one was asked or has asked.
CREATE TABLE peer (
  domain          text PRIMARY KEY,
  policy          text CHECK (policy IN ('allow', 'deny')),   -- NULL: as the setting FEDERATION says of strangers
  paused          boolean NOT NULL DEFAULT false, -- nothing is pushed
  failures        integer NOT NULL DEFAULT 0,     -- consecutive, of pushes
  retry_at        timestamptz,                    -- not before then
  lane_until      timestamptz,                    -- somebody pushes to it now, or has died of it since
  last_error      text,
  last_error_at   timestamptz,
  last_inbound_at timestamptz,
  endpoints       jsonb,                          -- URI templates of its directory
  profiles        text[],
  issued_at       timestamptz,                    -- of the directory that is in force; never goes back
  fetched_at      timestamptz,
  alarm           text,                           -- a directory was not believed: why
  created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE peer_key (
  domain text NOT NULL REFERENCES peer ON DELETE CASCADE, key_id text NOT NULL,
  public_key bytea NOT NULL, not_before timestamptz NOT NULL, not_after timestamptz,
  PRIMARY KEY (domain, key_id)
);

-- Nonces of requests that were taken, until their signatures have expired: facts, so in a logged table. Each slot is for a window of
-- expiry times, and emptied as a whole when that has passed.
CREATE TABLE federation_nonce (
  slot smallint NOT NULL, domain text NOT NULL, nonce text NOT NULL,
  PRIMARY KEY (slot, domain, nonce)
) PARTITION BY LIST (slot);
CREATE TABLE federation_nonce_0 PARTITION OF federation_nonce FOR VALUES IN (0);
CREATE TABLE federation_nonce_1 PARTITION OF federation_nonce FOR VALUES IN (1);
CREATE TABLE federation_nonce_2 PARTITION OF federation_nonce FOR VALUES IN (2);
CREATE TABLE federation_nonce_3 PARTITION OF federation_nonce FOR VALUES IN (3);

-- What a request was answered that must not be done twice: the same body by the same peer gets it again. NULL while it is being done.
CREATE TABLE federation_result (
  domain text NOT NULL, endpoint text NOT NULL, body_hash bytea NOT NULL,
  body bytea, expires_at timestamptz NOT NULL,
  PRIMARY KEY (domain, endpoint, body_hash)
);
CREATE INDEX federation_result_expiry ON federation_result (expires_at);
