-- Users whom a user here wants nothing to do with, of any provider: no KeyPackages for them, no Welcomes from them (docs/architecture.md §10).
CREATE TABLE user_block (
  blocker    text NOT NULL,
  blocked    text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (blocker, blocked)
);
CREATE INDEX user_block_by_blocked ON user_block (blocked);

-- To whom a KeyPackage was given: who a Welcome of a group at another hub comes from. NULL: of last resort, or given by a release before.
ALTER TABLE key_package_claim ADD COLUMN claimer text;
