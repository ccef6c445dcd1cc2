-- append_messages_v2 also answers the group's id and the time of acceptance: with these, the node that appended can send the whole
-- entry along with its hint, and nobody who is level with the log has to read it. Everything else is append_messages_v1's.
CREATE FUNCTION append_messages_v2(
  p_gid bigint[], p_device bigint[], p_epoch bigint[], p_length integer[], p_hashes bytea, p_blob bytea, p_max_past bigint
) RETURNS TABLE (
  ord integer, outcome text, seq bigint, epoch bigint, chain bytea, current_epoch bigint, incarnation integer,
  group_id bytea, accepted_at timestamptz
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
  PERFORM 1 FROM groups WHERE gid = ANY (p_gid) ORDER BY gid FOR NO KEY UPDATE;

  RETURN QUERY
  WITH item AS (
    SELECT i.ord::integer AS ord, i.gid, i.device_id, i.epoch,
           substring(p_hashes FROM (i.ord::integer - 1) * 32 + 1 FOR 32) AS hash,
           (sum(i.length) OVER (ORDER BY i.ord))::integer - i.length AS skip, i.length
      FROM unnest(p_gid, p_device, p_epoch, p_length) WITH ORDINALITY AS i (gid, device_id, epoch, length, ord)
  ), judged AS (
    SELECT i.*, g.epoch AS current_epoch, g.head_seq, g.head_chain, g.incarnation, g.group_id,
           old.seq AS old_seq, old.chain AS old_chain, old.epoch AS old_epoch, old.accepted_at AS old_accepted_at,
           CASE
             WHEN g.gid IS NULL THEN 'unknown'
             WHEN g.deleted_at IS NOT NULL THEN 'deleted'
             WHEN old.seq IS NOT NULL AND m.ever THEN 'duplicate'
             WHEN m.since IS NULL THEN 'not-a-member'
             WHEN g.frozen IS NOT NULL THEN 'frozen'
             WHEN i.epoch > g.epoch THEN 'ahead'
             WHEN i.epoch < greatest(g.post_floor, g.epoch - p_max_past, m.since) THEN 'stale'
             ELSE 'accepted'
           END AS verdict
      FROM item i
      LEFT JOIN groups g ON g.gid = i.gid
      LEFT JOIN LATERAL (
        SELECT l.seq, l.chain, l.epoch, l.accepted_at FROM log l WHERE l.gid = i.gid AND l.hash = i.hash ORDER BY l.seq LIMIT 1
      ) old ON true
      LEFT JOIN LATERAL (
        SELECT count(*) > 0 AS ever, max(x.join_epoch) FILTER (WHERE x.until_seq IS NULL) AS since
          FROM member x WHERE x.device_id = i.device_id AND x.gid = i.gid
      ) m ON true
  ), ranked AS (
    -- The same bytes twice in one batch are one message: the first that passes is it.
    SELECT j.*, row_number() OVER (PARTITION BY j.gid, j.hash, j.verdict ORDER BY j.ord) AS copy FROM judged j
  ), placed AS (
    SELECT r.*, r.head_seq + row_number() OVER (PARTITION BY r.gid ORDER BY r.ord) AS new_seq
      FROM ranked r WHERE r.verdict = 'accepted' AND r.copy = 1
  ), chained AS (
    SELECT p.*, log_chain_fold_v1(p.head_chain, p.new_seq, 'a', p.epoch, p.hash) OVER (PARTITION BY p.gid ORDER BY p.new_seq) AS new_chain
      FROM placed p
  ), written AS (
    INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
    SELECT c.gid, c.new_seq, 'a', c.epoch, date_trunc('second', clock_timestamp()), c.hash, c.new_chain,
           substring(p_blob FROM c.skip + 1 FOR c.length)
      FROM chained c ORDER BY c.gid, c.new_seq
    RETURNING gid, seq, accepted_at
  ), moved AS (
    UPDATE groups g SET head_seq = t.new_seq, head_chain = t.new_chain
      FROM (SELECT DISTINCT ON (c.gid) c.gid, c.new_seq, c.new_chain FROM chained c ORDER BY c.gid, c.new_seq DESC) t
     WHERE g.gid = t.gid
  )
  SELECT r.ord,
         CASE WHEN r.verdict = 'accepted' AND r.copy > 1 THEN 'duplicate' ELSE r.verdict END,
         coalesce(c.new_seq, CASE WHEN r.verdict = 'duplicate' THEN r.old_seq END),
         CASE WHEN r.verdict = 'duplicate' THEN r.old_epoch ELSE r.epoch END,
         coalesce(c.new_chain, CASE WHEN r.verdict = 'duplicate' THEN r.old_chain END),
         r.current_epoch, r.incarnation, r.group_id,
         coalesce(w.accepted_at, CASE WHEN r.verdict = 'duplicate' THEN r.old_accepted_at END)
    FROM ranked r
    LEFT JOIN chained c ON c.gid = r.gid AND c.hash = r.hash AND r.verdict = 'accepted'
    LEFT JOIN written w ON w.gid = c.gid AND w.seq = c.new_seq
   ORDER BY r.ord;
END $$;

-- The release before this one calls v1 for as long as both run side by side; one body for both.
CREATE OR REPLACE FUNCTION append_messages_v1(
  p_gid bigint[], p_device bigint[], p_epoch bigint[], p_length integer[], p_hashes bytea, p_blob bytea, p_max_past bigint
) RETURNS TABLE (
  ord integer, outcome text, seq bigint, epoch bigint, chain bytea, current_epoch bigint, incarnation integer
) LANGUAGE sql VOLATILE AS $$
  SELECT ord, outcome, seq, epoch, chain, current_epoch, incarnation
    FROM append_messages_v2(p_gid, p_device, p_epoch, p_length, p_hashes, p_blob, p_max_past)
$$;
