-- What users let each other do, how they are found, and what they complain of, across providers (draft-ietf-mimi-protocol-06).

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

-- Users who are not to be found, not even by their exact handle.
CREATE TABLE unsearchable_account (
  account_id bigint PRIMARY KEY REFERENCES account (id)
);

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
