-- What a challenge is for: a proof over its nonce counts for that alone. NULL: the client named nothing, as clients of earlier releases do.
ALTER TABLE challenge ADD COLUMN purpose text;
