-- What is in force of a peer's directory: until when, and which one it is. Rows of before have no end, and are fetched again before they count.
ALTER TABLE peer ADD COLUMN expires_at timestamptz;
ALTER TABLE peer ADD COLUMN payload_hash bytea;
ALTER TABLE peer ADD COLUMN features text[];
-- Since when the directory cannot be fetched or read, and why.
ALTER TABLE peer ADD COLUMN directory_failing_since timestamptz;
ALTER TABLE peer ADD COLUMN directory_error text;

-- Keys that were in a peer's directory and are not any more. None of them comes back, and none of their names gets another key.
CREATE TABLE peer_past_key (
  domain text NOT NULL REFERENCES peer (domain) ON DELETE CASCADE,
  key_id text NOT NULL,
  public_key bytea NOT NULL,
  gone_at timestamptz NOT NULL,
  CONSTRAINT peer_past_key_pkey PRIMARY KEY (domain, key_id)
);

-- The directory that all nodes show: no two documents have one time of issue, and none comes after a later one.
CREATE TABLE provider_directory (
  only_one boolean NOT NULL DEFAULT true CONSTRAINT provider_directory_pkey PRIMARY KEY CONSTRAINT provider_directory_only_one CHECK (only_one),
  content_hash bytea NOT NULL,
  issued_at timestamptz NOT NULL,
  signed jsonb NOT NULL
);
