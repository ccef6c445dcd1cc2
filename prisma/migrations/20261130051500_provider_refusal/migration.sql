-- That one provider does not federate with another, as it said itself when it was asked for KeyPackages. Forgotten after a day, or when it gives some.
CREATE TABLE provider_refusal (
  refusing text NOT NULL,
  refused text NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT provider_refusal_pkey PRIMARY KEY (refusing, refused)
);
