-- The chain value of an entry: SHA-256(previous || seq || kind || epoch || hash), integers big-endian.
CREATE OR REPLACE FUNCTION log_chain(previous bytea, seq bigint, kind text, epoch bigint, hash bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN sha256(previous || int8send(seq) || convert_to(kind, 'UTF8') || int8send(epoch) || hash);
END $$;

-- Where a chain starts: SHA-256("microchat log chain" || group_id || incarnation).
CREATE OR REPLACE FUNCTION log_chain_start(group_id bytea, incarnation integer) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to('microchat log chain', 'UTF8') || group_id || int4send(incarnation))
$$;

CREATE OR REPLACE FUNCTION log_chain_step(state bytea, previous bytea, seq bigint, kind text, epoch bigint, hash bytea)
RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN sha256(coalesce(state, previous) || int8send(seq) || convert_to(kind, 'UTF8') || int8send(epoch) || hash);
END $$;

-- The running chain over a batch, in one set-based statement: log_chain_fold(head, …) OVER (PARTITION BY gid ORDER BY seq).
CREATE OR REPLACE AGGREGATE log_chain_fold(previous bytea, seq bigint, kind text, epoch bigint, hash bytea) (
  SFUNC = log_chain_step, STYPE = bytea
);
