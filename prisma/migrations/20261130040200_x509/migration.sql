-- Authorities whose certificates show whose a device's key is (docs/x509.md): those that this provider makes, and those of its operator that it
-- has issued by.
CREATE TABLE x509_authority (
  fingerprint    bytea PRIMARY KEY,               -- SHA-256 of the certificate that issues
  certificate    bytea NOT NULL,                  -- the one that is published, DER: the same one, or the last one above it
  sealed_private bytea,                           -- PKCS #8, sealed under the server secret; NULL: the operator's, whose key is in a file
  signs_from     timestamptz NOT NULL,
  signs_until    timestamptz,                     -- NULL: until another one does
  issued_until   timestamptz                      -- when the last certificate that it has issued is over; published until then
);

-- Those of other providers, as their signed directories have them; DER.
ALTER TABLE peer ADD COLUMN x509_authorities bytea[] NOT NULL DEFAULT '{}';
