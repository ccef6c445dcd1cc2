-- Send tokens (RFC 9578) and sender keys: a member posts without saying who it is (docs/architecture.md §9).

-- Keys that tokens are signed with, blindly. `issues_from` to `issues_until` is the period that quotas are counted in.
CREATE TABLE issuer_key (
  id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key_id         bytea NOT NULL UNIQUE,            -- SHA-256 of token_key
  truncated_id   smallint NOT NULL,                -- its last byte: no two live keys have the same
  token_key      bytea NOT NULL,                   -- SubjectPublicKeyInfo, id-RSASSA-PSS
  sealed_private bytea NOT NULL,                   -- PKCS #8, sealed under SERVER_SECRET
  issues_from    timestamptz NOT NULL,
  issues_until   timestamptz NOT NULL,
  redeems_until  timestamptz NOT NULL
);

-- One partition for each key, which goes as a whole when the key has expired. There is no time in it, no group and no account.
-- Logged: after a crash a token that was spent is still spent.
CREATE TABLE spent_token (
  issuer_key integer NOT NULL,
  nonce      bytea NOT NULL,
  PRIMARY KEY (issuer_key, nonce)
) PARTITION BY LIST (issuer_key);

-- How many tokens of a key somebody has had signed. `holder` is a user of ours by URI, or a provider by its domain, for all its users.
-- The key may be another provider's: this server attests its users there, and counts for that.
CREATE TABLE token_quota (
  issuer    text NOT NULL,                         -- domain: what another one says of a key is no word about ours
  key_id    bytea NOT NULL,
  holder    text NOT NULL,
  issued    integer NOT NULL,
  forget_at timestamptz NOT NULL,                  -- the same for all rows of a key
  PRIMARY KEY (issuer, key_id, holder)
);
CREATE INDEX token_quota_expiry ON token_quota (forget_at);
-- Requests that were counted: repeated, they cost nothing, and get the same signatures. Blinded messages are independent of tokens,
-- and their hash is all that is kept.
CREATE TABLE token_batch (
  issuer       text NOT NULL,
  key_id       bytea NOT NULL,
  holder       text NOT NULL,
  request_hash bytea NOT NULL,
  PRIMARY KEY (issuer, key_id, holder, request_hash),
  FOREIGN KEY (issuer, key_id, holder) REFERENCES token_quota ON DELETE CASCADE
);

-- A counted batch that comes again is answered from here, not signed again: its answer was lost, and it costs the server a look-up.
-- Blind signatures say no more than the blinded messages do: only the client can turn them into tokens. Few are kept for each holder
-- of a key, the newest; they go with the quota, and that with the key.
CREATE TABLE token_answer (
  issuer       text NOT NULL,
  key_id       bytea NOT NULL,
  holder       text NOT NULL,
  request_hash bytea NOT NULL,
  answer       bytea NOT NULL,                     -- blind signatures, one after the other
  nth          integer NOT NULL,                   -- of the holder's; a time would tell when somebody fetched tokens
  PRIMARY KEY (issuer, key_id, holder, request_hash),
  FOREIGN KEY (issuer, key_id, holder, request_hash) REFERENCES token_batch ON DELETE CASCADE
);

-- The keys that members say posts of an epoch are signed with: one for each user at most. Honest members derive the same one.
CREATE TABLE sender_key (
  gid        bigint NOT NULL,
  epoch      bigint NOT NULL,
  user_id    bigint NOT NULL,
  public_key bytea NOT NULL,                       -- Ed25519, raw
  PRIMARY KEY (gid, epoch, user_id)
);
