-- Other providers: who they are, what they were told, and what they told us (docs/architecture.md §8).

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
  created_at      timestamptz NOT NULL DEFAULT now(),
  lane_owner      text                            -- whose run holds the lane: one that was given up for dead does not end another's
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

-- Where a group is at home, if not here; fixed at first sight. `gid` is the replica, once a local device is in the group.
CREATE TABLE followed_group (
  group_id       bytea PRIMARY KEY,
  hub            text  NOT NULL,                  -- domain
  room_id        text  NOT NULL,                  -- mimi://<hub>/r/<room>
  gid            bigint UNIQUE,
  head_signature bytea,                           -- the hub's, over the head of the replica
  head_key_id    text,
  stopped        text  CHECK (stopped IN ('equivocation')),
  first_seen_at  timestamptz NOT NULL DEFAULT now(),
  deleted_entries bigint,                         -- of the replica, when the hub had the group deleted: for the receipt
  deleted_at     timestamptz
);

-- The groups of one hub, to relay to it.
CREATE INDEX followed_group_by_hub ON followed_group (hub);

-- Two signed heads of one hub for one seq: proof of two histories. Kept until an operator has dealt with it.
CREATE TABLE equivocation (
  group_id bytea NOT NULL, incarnation integer NOT NULL, seq bigint NOT NULL,
  kept_chain bytea NOT NULL, kept_signature bytea, kept_key_id text,
  other_chain bytea NOT NULL, other_signature bytea NOT NULL, other_key_id text NOT NULL,
  detected_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (group_id, incarnation, seq, other_chain)
);

-- At the hub: how far a peer has stored a group. It gets the entries after `acked` up to `until_seq`, the Commit that took its
-- last member out; NULL while it has members. Like a member's, this cursor is written often and never indexed.
CREATE TABLE peer_cursor (
  domain      text    NOT NULL,
  gid         bigint  NOT NULL,
  from_seq    bigint  NOT NULL,                   -- the Commit that brought the first member in
  acked       bigint  NOT NULL,
  incarnation integer NOT NULL,                   -- that it has heard of
  until_seq   bigint,
  stopped     text,                               -- why the peer refused for good; nothing is sent until an operator retries
  PRIMARY KEY (domain, gid)
) WITH (fillfactor = 80);
CREATE INDEX peer_cursor_by_group ON peer_cursor (gid);

-- At the hub: peers that have yet to answer with a receipt that a deleted group's entries are gone there, too.
CREATE TABLE peer_deletion (
  domain text NOT NULL, group_id bytea NOT NULL, room_id text NOT NULL, incarnation integer NOT NULL,
  asked_at timestamptz NOT NULL DEFAULT now(),
  receipt bytea, deleted_entries bigint, receipt_at timestamptz,
  -- One that the peer refuses is tried again on its own, and delays nothing else.
  failures integer NOT NULL DEFAULT 0, retry_at timestamptz, last_error text,
  PRIMARY KEY (domain, group_id)
);

-- Whether `requester` may have KeyPackages of `target`. For a target here this is what it decided; for one elsewhere, what its
-- provider told. No row: nobody has said anything, which CONSENT=implicit takes for a yes.
CREATE TABLE consent (
  target     text NOT NULL,
  requester  text NOT NULL,
  room       text NOT NULL,                       -- '': all rooms
  state      text NOT NULL CHECK (state IN ('requested', 'granted', 'revoked')),
  asked_at   timestamptz,                         -- the requester has asked and not taken it back, whatever came of it
  told       text CHECK (told IN ('granted', 'revoked')),     -- what the requester has been told: a revocation may stay unsaid
  changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (target, requester, room)
);
CREATE INDEX consent_by_requester ON consent (requester);

-- Complaints about members of rooms that are at home here, for the operator. Never the messages themselves.
CREATE TABLE abuse_report (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  room_id        text     NOT NULL,
  provider       text     NOT NULL,               -- the provider that passed it on; ours for our own users
  reporter       text     NOT NULL,               -- '': unnamed
  alleged_abuser text     NOT NULL,
  reason         smallint NOT NULL,
  note           text     NOT NULL,
  messages       integer  NOT NULL,               -- how many came with it
  reported_at    timestamptz NOT NULL DEFAULT now(),
  closed_at      timestamptz
);
-- Sent twice, it is one report; and what one provider can leave here is counted by it.
CREATE UNIQUE INDEX abuse_report_open ON abuse_report (provider, room_id, reporter, alleged_abuser, reason, md5(note))
  WHERE closed_at IS NULL;
