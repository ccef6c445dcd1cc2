-- A group whose batches a peer cannot take waits by itself, and one that the peer has refused for good is tried again some hours later.
-- An earlier release, side by side with this one, leaves all three alone: what it stops waits for an operator, as it did before.
ALTER TABLE peer_cursor ADD COLUMN failures integer NOT NULL DEFAULT 0;
ALTER TABLE peer_cursor ADD COLUMN retry_at timestamptz;
ALTER TABLE peer_cursor ADD COLUMN last_error text;
UPDATE peer_cursor SET retry_at = now() + interval '6 hours' WHERE stopped IS NOT NULL;
