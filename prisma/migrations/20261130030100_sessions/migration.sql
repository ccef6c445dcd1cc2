-- Sessions are bound to a key (docs/adr/0031-tokens-bound-to-a-key.md). NULL: one that is not, such as those of the release before.
ALTER TABLE "refresh_token" ADD COLUMN "proof_key" BYTEA;
