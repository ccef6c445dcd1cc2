-- Application messages of many groups in one call and one round trip. `p_blob` holds all messages end to end, `p_hashes` 32 bytes for each:
-- one buffer with lengths costs a third of a bytea[] (11 against 35 µs/KB). Items keep their order within a group.
--
-- READ COMMITTED, as everywhere: the first statement locks the group rows, and every check is a later statement. A single statement that
-- waits for the row would keep the snapshot it had before the wait, and would accept a message of a device that a concurrent Commit has
-- removed while it waited. Lock order everywhere: groups by gid, member by (device_id, gid, from_seq), inbox by device_id.
--
-- A message is looked for by its hash with "ORDER BY seq + 0": otherwise the planner walks the whole group in the order of seq, which it
-- takes for cheap while the table has no statistics (measured: 32 messages into a group of 4,000 take 146 ms so, and 6 ms by the hash).

-- Locks the rows of these groups in their order, and says which it has. One that is locked by another transaction, a Commit or a deletion,
-- would hold up the messages of all others in the batch: see p_wait_ms of append_messages.
CREATE OR REPLACE FUNCTION lock_groups(p_gid bigint[], p_wait_ms integer) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF p_wait_ms = 0 THEN
    RETURN ARRAY(SELECT g.gid FROM groups g WHERE g.gid = ANY (p_gid) ORDER BY g.gid FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
  IF p_wait_ms IS NOT NULL THEN
    PERFORM set_config('lock_timeout', p_wait_ms || 'ms', true);
  END IF;
  RETURN ARRAY(SELECT g.gid FROM groups g WHERE g.gid = ANY (p_gid) ORDER BY g.gid FOR NO KEY UPDATE);
END $$;

-- Messages of members. Outcomes: accepted, duplicate (with what the original got), unknown, deleted, not-a-member, frozen, stale, ahead,
-- incarnation, busy, full.
-- The group's id and the time of acceptance let the node that appended send the whole entry along with its hint.
--   p_made_in[i]   the incarnation that the sender names; 0: none, which is good for epochs that were never used twice (groups.reused_above);
--                  NULL: not asked (releases before that)
--   p_wait_ms      how long to wait for groups that others have locked. 0: not at all, their items come back busy, and those of other groups
--                  are written. NULL: lock_timeout, for all of them (releases before that)
--   p_max_bytes    what one group may keep; NULL: no limit. What comes before it in the same call does not count, which is 1 MiB at most.
DROP FUNCTION IF EXISTS append_messages(bigint[], bigint[], bigint[], integer[], bytea, bytea, bigint);
CREATE OR REPLACE FUNCTION append_messages(
  p_gid bigint[], p_device bigint[], p_epoch bigint[], p_length integer[], p_hashes bytea, p_blob bytea, p_max_past bigint,
  p_made_in integer[] DEFAULT NULL, p_wait_ms integer DEFAULT NULL, p_max_bytes bigint DEFAULT NULL
) RETURNS TABLE (
  ord integer, outcome text, seq bigint, epoch bigint, chain bytea, current_epoch bigint, incarnation integer,
  group_id bytea, accepted_at timestamptz
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  held bigint[];
BEGIN
  -- Not by lock_groups: a call of a function within is felt by each single message.
  IF p_wait_ms = 0 THEN
    held := ARRAY(SELECT g.gid FROM groups g WHERE g.gid = ANY (p_gid) ORDER BY g.gid FOR NO KEY UPDATE SKIP LOCKED);
  ELSE
    held := lock_groups(p_gid, p_wait_ms);
  END IF;

  RETURN QUERY
  WITH item AS (
    SELECT i.ord::integer AS ord, i.gid, i.device_id, i.epoch, i.made_in,
           substring(p_hashes FROM (i.ord::integer - 1) * 32 + 1 FOR 32) AS hash,
           (sum(i.length) OVER (ORDER BY i.ord))::integer - i.length AS skip, i.length
      FROM unnest(p_gid, p_device, p_epoch, p_length, p_made_in) WITH ORDINALITY AS i (gid, device_id, epoch, length, made_in, ord)
  ), judged AS (
    SELECT i.*, g.epoch AS current_epoch, g.head_seq, g.head_chain, g.incarnation, g.group_id,
           old.seq AS old_seq, old.chain AS old_chain, old.epoch AS old_epoch, old.accepted_at AS old_accepted_at,
           CASE
             WHEN g.gid IS NULL THEN 'unknown'
             WHEN i.gid <> ALL (held) THEN 'busy'
             WHEN g.deleted_at IS NOT NULL THEN 'deleted'
             WHEN old.seq IS NOT NULL AND m.saw_old THEN 'duplicate'
             WHEN m.since IS NULL THEN 'not-a-member'
             WHEN i.made_in <> g.incarnation AND (i.made_in > 0 OR i.epoch > g.reused_above) THEN 'incarnation'
             WHEN g.frozen IS NOT NULL THEN 'frozen'
             WHEN i.epoch > g.epoch THEN 'ahead'
             WHEN i.epoch < greatest(g.post_floor, g.epoch - p_max_past, m.since) THEN 'stale'
             WHEN g.over_quota OR g.bytes + i.length > p_max_bytes THEN 'full'
             ELSE 'accepted'
           END AS verdict
      FROM item i
      LEFT JOIN groups g ON g.gid = i.gid
      LEFT JOIN LATERAL (
        SELECT l.seq, l.chain, l.epoch, l.accepted_at FROM log l WHERE l.gid = i.gid AND l.hash = i.hash ORDER BY l.seq + 0 LIMIT 1
      ) old ON true
      LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE old.seq >= x.from_seq AND old.seq <= coalesce(least(x.until_seq, x.read_until), old.seq)) > 0 AS saw_old,
               max(x.join_epoch) FILTER (WHERE x.until_seq IS NULL AND x.read_until IS NULL) AS since
          FROM member x WHERE x.device_id = i.device_id AND x.gid = i.gid
      ) m ON true
  ), ranked AS (
    -- The same bytes twice in one batch are one message: the first that passes is it.
    SELECT j.*, row_number() OVER (PARTITION BY j.gid, j.hash, j.verdict ORDER BY j.ord) AS copy FROM judged j
  ), placed AS (
    SELECT r.*, r.head_seq + row_number() OVER (PARTITION BY r.gid ORDER BY r.ord) AS new_seq
      FROM ranked r WHERE r.verdict = 'accepted' AND r.copy = 1
  ), chained AS (
    SELECT p.*, log_chain_fold(p.head_chain, p.new_seq, 'a', p.epoch, p.hash) OVER in_order AS new_chain, sum(p.length) OVER in_order AS new_bytes
      FROM placed p WINDOW in_order AS (PARTITION BY p.gid ORDER BY p.new_seq)
  ), written AS (
    INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
    SELECT c.gid, c.new_seq, 'a', c.epoch, date_trunc('second', clock_timestamp()), c.hash, c.new_chain,
           substring(p_blob FROM c.skip + 1 FOR c.length)
      FROM chained c ORDER BY c.gid, c.new_seq
    RETURNING gid, seq, accepted_at
  ), moved AS (
    UPDATE groups g SET head_seq = t.new_seq, head_chain = t.new_chain, bytes = g.bytes + t.new_bytes
      FROM (
        SELECT DISTINCT ON (c.gid) c.gid, c.new_seq, c.new_chain, c.new_bytes FROM chained c ORDER BY c.gid, c.new_seq DESC
      ) t
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

-- The same with messages without a sender among them. Of those p_device is NULL; p_sender_key is the key that the post is signed with
-- (which the caller has checked), p_issuer_key and p_nonce the token. A token is spent by the statement that appends its message.
-- Further outcomes: not-a-member (also: no member has published that key), commit-required, token-spent.
-- A function of its own: its further steps would cost members' messages 21 % (128 in one call) to 50 % (one).
DROP FUNCTION IF EXISTS sealed_append_messages(
  bigint[], bigint[], bigint[], integer[], bytea, bytea, bigint, bytea[], integer[], bytea[]
);
CREATE OR REPLACE FUNCTION sealed_append_messages(
  p_gid bigint[], p_device bigint[], p_epoch bigint[], p_length integer[], p_hashes bytea, p_blob bytea, p_max_past bigint,
  p_sender_key bytea[], p_issuer_key integer[], p_nonce bytea[], p_made_in integer[] DEFAULT NULL, p_wait_ms integer DEFAULT NULL, p_max_bytes bigint DEFAULT NULL
) RETURNS TABLE (
  ord integer, outcome text, seq bigint, epoch bigint, chain bytea, current_epoch bigint, incarnation integer,
  group_id bytea, accepted_at timestamptz
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  held bigint[];
BEGIN
  held := lock_groups(p_gid, p_wait_ms);

  RETURN QUERY
  WITH item AS (
    SELECT i.ord::integer AS ord, i.gid, i.device_id, i.epoch, i.made_in, i.sender_key, i.issuer_key, i.nonce,
           substring(p_hashes FROM (i.ord::integer - 1) * 32 + 1 FOR 32) AS hash,
           (sum(i.length) OVER (ORDER BY i.ord))::integer - i.length AS skip, i.length
      FROM unnest(p_gid, p_device, p_epoch, p_length, p_sender_key, p_issuer_key, p_nonce, p_made_in)
           WITH ORDINALITY AS i (gid, device_id, epoch, length, sender_key, issuer_key, nonce, made_in, ord)
  ), judged AS (
    SELECT i.*, g.epoch AS current_epoch, g.head_seq, g.head_chain, g.incarnation, g.group_id,
           old.seq AS old_seq, old.chain AS old_chain, old.epoch AS old_epoch, old.accepted_at AS old_accepted_at,
           CASE
             WHEN g.gid IS NULL THEN 'unknown'
             WHEN i.gid <> ALL (held) THEN 'busy'
             WHEN g.deleted_at IS NOT NULL THEN 'deleted'
             WHEN old.seq IS NOT NULL AND (m.saw_old OR i.device_id IS NULL) THEN 'duplicate'
             WHEN m.since IS NULL AND k.published IS NULL THEN 'not-a-member'
             WHEN i.made_in <> g.incarnation AND (i.made_in > 0 OR i.epoch > g.reused_above) THEN 'incarnation'
             WHEN g.frozen IS NOT NULL THEN 'frozen'
             WHEN i.epoch > g.epoch THEN 'ahead'
             WHEN i.epoch < greatest(g.post_floor, g.epoch - p_max_past, m.since) THEN 'stale'
             WHEN k.published AND EXISTS (
               -- One who is out already may still be noted, if the revocation came at the same time as the Commit.
               SELECT FROM pending_removal r JOIN member x USING (gid, device_id) WHERE r.gid = i.gid AND x.until_seq IS NULL
             ) THEN 'commit-required'
             WHEN g.over_quota OR g.bytes + i.length > p_max_bytes THEN 'full'
             ELSE 'accepted'
           END AS verdict
      FROM item i
      LEFT JOIN groups g ON g.gid = i.gid
      LEFT JOIN LATERAL (
        SELECT l.seq, l.chain, l.epoch, l.accepted_at FROM log l WHERE l.gid = i.gid AND l.hash = i.hash ORDER BY l.seq + 0 LIMIT 1
      ) old ON true
      LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE old.seq >= x.from_seq AND old.seq <= coalesce(least(x.until_seq, x.read_until), old.seq)) > 0 AS saw_old,
               max(x.join_epoch) FILTER (WHERE x.until_seq IS NULL AND x.read_until IS NULL) AS since
          FROM member x WHERE x.device_id = i.device_id AND x.gid = i.gid
      ) m ON i.device_id IS NOT NULL
      LEFT JOIN LATERAL (
        SELECT true AS published FROM sender_key x
         WHERE x.gid = i.gid AND x.epoch = i.epoch AND x.public_key = i.sender_key LIMIT 1
      ) k ON i.device_id IS NULL
  ), ranked AS (
    -- The same bytes twice in one batch are one message: the first that passes is it.
    SELECT j.*, row_number() OVER (PARTITION BY j.gid, j.hash, j.verdict ORDER BY j.ord) AS copy FROM judged j
  ), usable AS (
    SELECT r.*, row_number() OVER (PARTITION BY r.issuer_key, r.nonce ORDER BY r.ord) AS use
      FROM ranked r WHERE r.verdict = 'accepted' AND r.copy = 1
  ), spent AS (
    -- In the order of the nonces, so that two nodes that race for several do not wait for each other in a ring.
    INSERT INTO spent_token (issuer_key, nonce)
    SELECT u.issuer_key, u.nonce FROM usable u WHERE u.nonce IS NOT NULL AND u.use = 1 ORDER BY u.issuer_key, u.nonce
    ON CONFLICT DO NOTHING
    RETURNING issuer_key, nonce
  ), placed AS (
    -- IN, and not a join: it is hashed, where joins of such steps become loops in loops (12 ms of 20 for 32 messages).
    SELECT u.*, u.head_seq + row_number() OVER (PARTITION BY u.gid ORDER BY u.ord) AS new_seq
      FROM usable u
     WHERE u.nonce IS NULL OR u.use = 1 AND (u.issuer_key, u.nonce) IN (SELECT s.issuer_key, s.nonce FROM spent s)
  ), chained AS (
    SELECT p.*, log_chain_fold(p.head_chain, p.new_seq, 'a', p.epoch, p.hash) OVER in_order AS new_chain, sum(p.length) OVER in_order AS new_bytes
      FROM placed p WINDOW in_order AS (PARTITION BY p.gid ORDER BY p.new_seq)
  ), written AS (
    INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
    SELECT c.gid, c.new_seq, 'a', c.epoch, date_trunc('second', clock_timestamp()), c.hash, c.new_chain,
           substring(p_blob FROM c.skip + 1 FOR c.length)
      FROM chained c ORDER BY c.gid, c.new_seq
    RETURNING gid, seq, accepted_at
  ), moved AS (
    UPDATE groups g SET head_seq = t.new_seq, head_chain = t.new_chain, bytes = g.bytes + t.new_bytes
      FROM (
        SELECT DISTINCT ON (c.gid) c.gid, c.new_seq, c.new_chain, c.new_bytes FROM chained c ORDER BY c.gid, c.new_seq DESC
      ) t
     WHERE g.gid = t.gid
  )
  SELECT r.ord,
         CASE
           WHEN r.verdict = 'accepted' AND c.new_seq IS NULL THEN 'token-spent'
           WHEN r.verdict = 'accepted' AND r.copy > 1 THEN 'duplicate'
           ELSE r.verdict
         END,
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
