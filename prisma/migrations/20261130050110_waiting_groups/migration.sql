-- Groups that wait for a peer are found by it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS peer_cursor_waiting ON peer_cursor (domain) WHERE retry_at IS NOT NULL;
