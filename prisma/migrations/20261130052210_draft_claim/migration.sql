-- What hubs of the draft were answered to requests for KeyPackages that they have passed on for users of others. Such a request has neither time nor nonce:
-- the hub could send it again, and gets this answer then until one of its KeyPackages was used. `hash` is SHA-256 of the hub and of what the user has signed.
CREATE TABLE draft_claim (
  hash bytea PRIMARY KEY,
  account_id bigint NOT NULL,
  refs bytea[] NOT NULL,
  answer bytea NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX draft_claim_by_account ON draft_claim (account_id);
CREATE INDEX draft_claim_due ON draft_claim (expires_at);
