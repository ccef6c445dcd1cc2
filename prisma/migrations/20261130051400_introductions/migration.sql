-- Providers that a user's own provider has sent a request of the user to, or KeyPackages of it: they may look the user up until then.
CREATE TABLE introduction (
  account_id bigint NOT NULL REFERENCES account (id),
  domain text NOT NULL,
  until timestamptz NOT NULL,
  PRIMARY KEY (account_id, domain)
);
CREATE INDEX introduction_expiry ON introduction (until);
