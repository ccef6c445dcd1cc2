-- The end of an account (docs/adr/0032-the-end-of-an-account.md).
ALTER TABLE account
  ADD COLUMN deleted_at timestamptz,  -- its user, an operator or its provider had it deleted; it is disabled as well
  ADD COLUMN erased_at  timestamptz;  -- nothing else is left of it; user_uri is then erased:<keyed hash of the name>
CREATE INDEX account_to_erase ON account (id) WHERE deleted_at IS NOT NULL AND erased_at IS NULL;
CREATE INDEX account_erased ON account (deleted_at) WHERE erased_at IS NOT NULL;

-- Providers that know a user whose account was deleted here, and have yet to answer with a receipt.
CREATE TABLE peer_erasure (
  domain     text NOT NULL,
  erasure_id bytea NOT NULL,                          -- 32 random bytes, which name the erasure once the user's name is gone
  account_id bigint NOT NULL,
  user_uri   text,                                    -- NULL once the receipt is here
  asked_at   timestamptz NOT NULL DEFAULT now(),
  receipt    bytea, receipt_at timestamptz,
  -- One that the peer refuses, or does not know how to do, is tried again on its own, and delays nothing else.
  failures   integer NOT NULL DEFAULT 0, retry_at timestamptz, last_error text,
  PRIMARY KEY (domain, erasure_id)
);
CREATE INDEX peer_erasure_by_account ON peer_erasure (account_id);

-- To find what is to be deleted.
CREATE INDEX abuse_report_by_reporter ON abuse_report (reporter);
CREATE INDEX abuse_report_by_abuser ON abuse_report (alleged_abuser);
CREATE INDEX group_ban_by_user ON group_ban (user_id);
CREATE INDEX group_outcast_by_user ON group_outcast (user_id);
CREATE INDEX outcast_device_by_device ON outcast_device (device_id);
CREATE INDEX invite_by_account ON invite (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX key_package_claim_by_claimer ON key_package_claim (claimer) WHERE claimer IS NOT NULL;
CREATE INDEX token_quota_by_holder ON token_quota (holder);
