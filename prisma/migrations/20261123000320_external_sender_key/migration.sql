-- The server's keys as an external sender (RFC 9420 §12.1.8.1), one per signature scheme, for all nodes and groups.
-- Groups list the public keys in their GroupContext, so a key is never replaced, only added beside.
CREATE TABLE external_sender_key (
  scheme         integer PRIMARY KEY,              -- TLS SignatureScheme
  public_key     bytea NOT NULL,                   -- as in the ExternalSender struct
  sealed_private bytea NOT NULL,                   -- PKCS #8, sealed under the server secret
  created_at     timestamptz NOT NULL DEFAULT now()
);
