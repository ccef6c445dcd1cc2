-- One function per hot operation, one round trip each (DESIGN §5, §12 of the architecture guide).
--
-- All of them run at READ COMMITTED and lock the group row in their first statement; every check is a later
-- statement. A single statement that waits for the row would keep the snapshot it had before the wait, and would
-- accept a message of a device that a concurrent Commit has removed meanwhile.
-- Lock order everywhere: groups by gid, member by (device_id, gid, from_seq), inbox by device_id.
-- Expected outcomes are values in `outcome`; only what nobody expects raises.

-- The chain value of an entry: SHA-256(previous || seq || kind || epoch || hash), integers big-endian.
CREATE FUNCTION log_chain_v1(previous bytea, seq bigint, kind text, epoch bigint, hash bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN sha256(previous || int8send(seq) || convert_to(kind, 'UTF8') || int8send(epoch) || hash);
END $$;

-- Where a chain starts: SHA-256("microchat log chain" || group_id || incarnation).
CREATE FUNCTION log_chain_start_v1(group_id bytea, incarnation integer) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to('microchat log chain', 'UTF8') || group_id || int4send(incarnation))
$$;

CREATE FUNCTION log_chain_step_v1(state bytea, previous bytea, seq bigint, kind text, epoch bigint, hash bytea)
RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN sha256(coalesce(state, previous) || int8send(seq) || convert_to(kind, 'UTF8') || int8send(epoch) || hash);
END $$;

-- The running chain over a batch, in one set-based statement: log_chain_fold_v1(head, …) OVER (PARTITION BY gid ORDER BY seq).
CREATE AGGREGATE log_chain_fold_v1(previous bytea, seq bigint, kind text, epoch bigint, hash bytea) (
  SFUNC = log_chain_step_v1, STYPE = bytea
);

-- Application messages of many groups in one call. `blob` holds all messages end to end, `hashes` 32 bytes each:
-- one buffer with lengths costs a third of a bytea[] (11 against 35 µs/KB). Items keep their order within a group.
-- Outcomes: accepted, duplicate (seq is the original's), unknown, deleted, not-a-member, frozen, stale, ahead.
CREATE FUNCTION append_messages_v1(
  p_gid bigint[], p_device bigint[], p_epoch bigint[], p_length integer[], p_hashes bytea, p_blob bytea, p_max_past bigint
) RETURNS TABLE (
  ord integer, outcome text, seq bigint, epoch bigint, chain bytea, current_epoch bigint, incarnation integer
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
    SELECT i.*, g.epoch AS current_epoch, g.head_seq, g.head_chain, g.incarnation,
           old.seq AS old_seq, old.chain AS old_chain, old.epoch AS old_epoch,
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
        SELECT l.seq, l.chain, l.epoch FROM log l WHERE l.gid = i.gid AND l.hash = i.hash ORDER BY l.seq LIMIT 1
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
         r.current_epoch, r.incarnation
    FROM ranked r
    LEFT JOIN chained c ON c.gid = r.gid AND c.hash = r.hash AND r.verdict = 'accepted'
   ORDER BY r.ord;
END $$;

-- What every single submission answers. `epoch` is the group's epoch after the entry; on a refusal, its current one.
CREATE TYPE submission_v1 AS (outcome text, seq bigint, epoch bigint, chain bytea, incarnation integer);

-- The checks that a Commit and a Proposal share, after the caller has locked the row. NULL: go on.
CREATE FUNCTION judge_submission_v1(g groups, p_incarnation integer, p_epoch bigint, p_hash bytea, p_device bigint, p_member boolean)
RETURNS submission_v1 LANGUAGE plpgsql STABLE AS $$
DECLARE
  old record;
  verdict text;
BEGIN
  IF g.deleted_at IS NOT NULL THEN
    RETURN ('deleted', NULL, NULL, NULL, NULL)::submission_v1;
  END IF;
  -- Invariant 5: an identical resubmission gets its acceptance again, also if stale, removed or frozen by now. Where no
  -- membership is asked for (external Commits and proposals), whoever has the bytes made them or read them in the log.
  SELECT l.seq, l.kind, l.epoch, l.chain INTO old FROM log l WHERE l.gid = g.gid AND l.hash = p_hash ORDER BY l.seq LIMIT 1;
  IF FOUND AND (NOT p_member OR EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid)) THEN
    RETURN ('duplicate', old.seq, old.epoch + CASE old.kind WHEN 'c' THEN 1 ELSE 0 END, old.chain, g.incarnation)::submission_v1;
  END IF;
  verdict := CASE
    WHEN p_member AND NOT EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL) THEN 'not-a-member'
    WHEN g.incarnation <> p_incarnation THEN 'stale'
    WHEN g.frozen IS NOT NULL THEN 'frozen'
    WHEN p_epoch < g.epoch THEN 'stale'
    WHEN p_epoch > g.epoch THEN 'ahead'
  END;
  IF verdict IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN (verdict, g.head_seq, g.epoch, NULL, g.incarnation)::submission_v1;
END $$;

-- A Proposal for the current epoch. p_device is NULL for the server's own (external sender), which need no membership.
-- With p_pending_device, the same transaction records that the device is on its way out.
CREATE FUNCTION submit_proposal_v1(
  p_gid bigint, p_incarnation integer, p_device bigint, p_member boolean, p_epoch bigint, p_hash bytea, p_bytes bytea,
  p_pending_device bigint, p_pending_leaf integer, p_pending_reason text
) RETURNS submission_v1 LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
  judged submission_v1;
  next_chain bytea;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN ('unknown', NULL, NULL, NULL, NULL)::submission_v1;
  END IF;
  judged := judge_submission_v1(g, p_incarnation, p_epoch, p_hash, p_device, p_member);
  -- A signature may be deterministic: the Remove for a revocation can be the bytes that stand there for a leave.
  IF p_pending_device IS NOT NULL AND (judged.outcome IS NULL OR judged.outcome = 'duplicate' AND p_epoch = g.epoch) THEN
    INSERT INTO pending_removal AS r (gid, device_id, leaf_index, reason, proposed_epoch)
    VALUES (p_gid, p_pending_device, p_pending_leaf, p_pending_reason, p_epoch)
    ON CONFLICT (gid, device_id) DO UPDATE
      SET leaf_index = coalesce(excluded.leaf_index, r.leaf_index), proposed_epoch = excluded.proposed_epoch,
          reason = CASE WHEN r.reason = 'revoke' THEN r.reason ELSE excluded.reason END;
  END IF;
  IF judged.outcome IS NOT NULL THEN
    RETURN judged;
  END IF;
  next_chain := log_chain_v1(g.head_chain, g.head_seq + 1, 'p', p_epoch, p_hash);
  INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
  VALUES (p_gid, g.head_seq + 1, 'p', p_epoch, clock_timestamp(), p_hash, next_chain, p_bytes);
  UPDATE groups SET head_seq = g.head_seq + 1, head_chain = next_chain WHERE gid = p_gid;
  RETURN ('accepted', g.head_seq + 1, g.epoch, next_chain, g.incarnation)::submission_v1;
END $$;

-- Everything that one Commit changes, in one transaction (invariant 2).
--   p_external        the committer joins by this Commit (or resyncs its own leaf): no membership is asked for
--   p_added[i]        a device that joins; p_added_welcome[i] the ordinal (from 1) of the Welcome that is for it
--   p_removed[i]      a device that is out after this Commit, p_removed_reason[i] why (member.ended)
--   p_followup[i]     the regenerated Remove proposal, for the new epoch, of the pending p_followup_device[i]
--   p_unsigned        pending devices whose Remove the server cannot sign for the new epoch: their leaf is unknown again
--   p_policy_version  the policy under which the Commit was judged
-- Outcomes beyond the shared ones: retry (policy or pending removals changed since it was judged), banned.
CREATE FUNCTION submit_commit_v1(
  p_gid bigint, p_incarnation integer, p_device bigint, p_user bigint, p_external boolean, p_policy_version bigint,
  p_epoch bigint, p_hash bytea, p_bytes bytea,
  p_added bigint[], p_added_welcome integer[], p_removed bigint[], p_removed_reason text[],
  p_welcome bytea[], p_welcome_expires timestamptz[], p_group_info bytea, p_tree bytea,
  p_claimed_removed text[], p_reinit boolean,
  p_followup bytea[], p_followup_hash bytea[], p_followup_device bigint[], p_unsigned bigint[]
) RETURNS submission_v1 LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
  judged submission_v1;
  commit_seq bigint;
  next_epoch bigint := p_epoch + 1;
  head bigint;
  chain_at bytea;
  commit_chain bytea;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN ('unknown', NULL, NULL, NULL, NULL)::submission_v1;
  END IF;
  judged := judge_submission_v1(g, p_incarnation, p_epoch, p_hash, p_device, NOT p_external);
  IF judged.outcome IS NOT NULL THEN
    RETURN judged;
  END IF;
  IF p_external AND EXISTS (SELECT FROM group_ban b WHERE b.gid = p_gid AND b.user_id = p_user) THEN
    RETURN ('banned', g.head_seq, g.epoch, NULL, g.incarnation)::submission_v1;
  END IF;
  IF NOT EXISTS (SELECT FROM group_policy x WHERE x.gid = p_gid AND x.version = p_policy_version)
     OR EXISTS (
       SELECT FROM pending_removal r
        WHERE r.gid = p_gid AND r.leaf_index IS NOT NULL AND r.device_id <> ALL (p_removed || p_followup_device || p_unsigned)
     ) THEN
    RETURN ('retry', g.head_seq, g.epoch, NULL, g.incarnation)::submission_v1;
  END IF;

  commit_seq := g.head_seq + 1;
  commit_chain := log_chain_v1(g.head_chain, commit_seq, 'c', p_epoch, p_hash);
  INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
  VALUES (p_gid, commit_seq, 'c', p_epoch, clock_timestamp(), p_hash, commit_chain, p_bytes);
  head := commit_seq;
  chain_at := commit_chain;
  FOR i IN 1 .. cardinality(p_followup) LOOP
    head := head + 1;
    chain_at := log_chain_v1(chain_at, head, 'p', next_epoch, p_followup_hash[i]);
    INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
    VALUES (p_gid, head, 'p', next_epoch, clock_timestamp(), p_followup_hash[i], chain_at, p_followup[i]);
  END LOOP;
  UPDATE groups
     SET epoch = next_epoch, head_seq = head, head_chain = chain_at,
         post_floor = CASE WHEN cardinality(p_removed) > 0 THEN next_epoch ELSE post_floor END,
         frozen = CASE WHEN p_reinit THEN 'reinit' ELSE frozen END
   WHERE gid = p_gid;

  -- Sorted, because a flush of acknowledgements locks the same rows in this order.
  PERFORM 1 FROM member m
    WHERE m.gid = p_gid AND m.until_seq IS NULL AND m.device_id = ANY (p_removed || p_added)
    ORDER BY m.device_id, m.gid, m.from_seq FOR UPDATE;
  UPDATE member m SET until_seq = commit_seq, ended = x.reason
    FROM unnest(p_removed, p_removed_reason) AS x (device_id, reason)
   WHERE m.gid = p_gid AND m.device_id = x.device_id AND m.until_seq IS NULL;
  -- Only where the server cannot see the tree may a device be added that still is a member: its new leaf is another interval.
  UPDATE member m SET until_seq = commit_seq, ended = 'resync'
   WHERE m.gid = p_gid AND m.device_id = ANY (p_added) AND m.until_seq IS NULL;
  INSERT INTO member (device_id, gid, from_seq, join_epoch, acked)
  SELECT DISTINCT x.device_id, p_gid, commit_seq + 1, next_epoch, commit_seq
    FROM unnest(p_added) AS x (device_id) ORDER BY x.device_id;

  INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at)
  SELECT p_gid, commit_seq, w.ord, next_epoch, w.bytes, w.expires_at
    FROM unnest(p_welcome, p_welcome_expires) WITH ORDINALITY AS w (bytes, expires_at, ord);
  INSERT INTO inbox (device_id, kind, gid, seq, ordinal)
  SELECT x.device_id, 'welcome', p_gid, commit_seq, x.ordinal
    FROM unnest(p_added, p_added_welcome) AS x (device_id, ordinal) WHERE x.ordinal IS NOT NULL ORDER BY x.device_id;

  IF p_group_info IS NOT NULL THEN
    INSERT INTO group_info (gid, epoch, bytes) VALUES (p_gid, next_epoch, p_group_info);
  END IF;
  IF p_tree IS NOT NULL THEN
    INSERT INTO group_tree (gid, epoch, bytes) VALUES (p_gid, next_epoch, p_tree);
  END IF;
  IF p_claimed_removed IS NOT NULL OR p_reinit THEN
    INSERT INTO commit_claim (gid, seq, removed_clients, reinit)
    VALUES (p_gid, commit_seq, coalesce(p_claimed_removed, '{}'), p_reinit);
  END IF;
  DELETE FROM pending_removal WHERE gid = p_gid AND device_id = ANY (p_removed || p_added);
  UPDATE pending_removal SET proposed_epoch = next_epoch WHERE gid = p_gid AND device_id = ANY (p_followup_device);
  UPDATE pending_removal SET leaf_index = NULL WHERE gid = p_gid AND device_id = ANY (p_unsigned);

  RETURN ('accepted', commit_seq, next_epoch, commit_chain, g.incarnation)::submission_v1;
END $$;

-- A new group, its creator its only member. With p_successor_of it takes the place of a frozen group, once (compare-and-set).
-- Outcomes: accepted, duplicate, exists, room-taken, predecessor (unknown, not frozen, or the caller is not in it), successor-taken.
CREATE FUNCTION create_group_v1(
  p_group_id bytea, p_mode text, p_suite integer, p_epoch bigint, p_device bigint, p_user bigint, p_room text,
  p_group_info bytea, p_tree bytea, p_snapshot bytea, p_successor_of bytea,
  p_external_join text, p_join_code_hash bytea, p_add text, p_remove text, p_reports integer
) RETURNS TABLE (outcome text, gid bigint, incarnation integer, chain bytea, room_id text) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  old groups;
  made groups;
  stored bytea;
BEGIN
  IF p_successor_of IS NOT NULL THEN
    SELECT * INTO old FROM groups g WHERE g.group_id = p_successor_of FOR NO KEY UPDATE;
    IF NOT FOUND OR old.deleted_at IS NOT NULL OR old.frozen IS NULL
       OR NOT EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = old.gid AND m.until_seq IS NULL) THEN
      RETURN QUERY SELECT 'predecessor', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
    IF old.successor_group_id IS NOT NULL AND old.successor_group_id <> p_group_id THEN
      RETURN QUERY SELECT 'successor-taken', NULL::bigint, NULL::integer, old.successor_group_id, old.room_id;
      RETURN;
    END IF;
    p_room := old.room_id;
  END IF;

  INSERT INTO groups (group_id, mode, cipher_suite, epoch, head_chain, room_id)
  VALUES (p_group_id, p_mode, p_suite, p_epoch, log_chain_start_v1(p_group_id, 1), p_room)
  ON CONFLICT (group_id) DO NOTHING RETURNING * INTO made;
  IF NOT FOUND THEN
    SELECT * INTO made FROM groups g WHERE g.group_id = p_group_id;
    SELECT i.bytes INTO stored FROM group_info i WHERE i.gid = made.gid AND i.epoch = p_epoch;
    RETURN QUERY SELECT
      CASE WHEN made.deleted_at IS NULL AND stored = p_group_info
                AND EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = made.gid AND m.from_seq = 1)
           THEN 'duplicate' ELSE 'exists' END,
      made.gid, made.incarnation, log_chain_start_v1(p_group_id, made.incarnation), made.room_id;
    RETURN;
  END IF;

  INSERT INTO room AS r (room_id, current_gid) VALUES (p_room, made.gid)
  ON CONFLICT (room_id) DO UPDATE SET current_gid = excluded.current_gid WHERE r.current_gid = old.gid;
  IF NOT FOUND THEN
    DELETE FROM groups g WHERE g.gid = made.gid;
    RETURN QUERY SELECT 'room-taken', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
    RETURN;
  END IF;
  IF old.gid IS NOT NULL THEN
    UPDATE groups g SET successor_group_id = p_group_id WHERE g.gid = old.gid;
  END IF;

  INSERT INTO member (device_id, gid, from_seq, join_epoch, acked) VALUES (p_device, made.gid, 1, p_epoch, 0);
  INSERT INTO group_policy (gid, external_join, join_code_hash, add_members, remove_members, reports_to_reset)
  VALUES (made.gid, p_external_join, p_join_code_hash, p_add, p_remove, p_reports);
  -- Whoever happens to create the successor gets no rights by it that the predecessor did not give.
  INSERT INTO group_admin (gid, user_id)
  SELECT made.gid, p_user WHERE old.gid IS NULL
   UNION SELECT made.gid, a.user_id FROM group_admin a WHERE a.gid = old.gid;
  INSERT INTO group_info (gid, epoch, bytes) VALUES (made.gid, p_epoch, p_group_info);
  IF p_tree IS NOT NULL THEN
    INSERT INTO group_tree (gid, epoch, bytes) VALUES (made.gid, p_epoch, p_tree);
  END IF;
  IF p_snapshot IS NOT NULL THEN
    INSERT INTO group_snapshot (gid, epoch, seq, bytes) VALUES (made.gid, p_epoch, 0, p_snapshot);
  END IF;
  IF old.gid IS NOT NULL THEN
    INSERT INTO group_ban (gid, user_id) SELECT made.gid, b.user_id FROM group_ban b WHERE b.gid = old.gid;
    INSERT INTO group_outcast (gid, user_id)
    SELECT made.gid, x.user_id FROM (
      SELECT o.user_id FROM group_outcast o WHERE o.gid = old.gid
       UNION
      SELECT d.account_id FROM member m JOIN device d ON d.id = m.device_id WHERE m.gid = old.gid
       GROUP BY d.account_id
      HAVING (array_agg(m.ended ORDER BY m.until_seq DESC NULLS FIRST, (m.ended = 'removed') DESC NULLS FIRST))[1] = 'removed'
    ) x
     WHERE NOT EXISTS (
       SELECT FROM member m JOIN device d ON d.id = m.device_id
        WHERE m.gid = old.gid AND m.until_seq IS NULL AND d.account_id = x.user_id
     );
  END IF;
  RETURN QUERY SELECT 'accepted', made.gid, made.incarnation, made.head_chain, made.room_id;
END $$;

-- Stops a group for a reset: no entry is taken any more, one successor may take its place.
CREATE FUNCTION freeze_group_v1(p_gid bigint, p_reason text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN 'unknown';
  ELSIF g.deleted_at IS NOT NULL THEN
    RETURN 'deleted';
  ELSIF g.frozen IS NOT NULL THEN
    RETURN 'frozen';
  END IF;
  UPDATE groups SET frozen = p_reason WHERE gid = p_gid;
  RETURN 'accepted';
END $$;

-- Deletion of a group deletes its ciphertext, Welcomes, GroupInfo and trees (invariant 8); the groups row stays as tombstone.
-- `entries` counts the log rows; `devices` are those that were members and find group.deleted in their inbox.
CREATE FUNCTION delete_group_v1(p_gid bigint) RETURNS TABLE (outcome text, entries bigint, devices bigint[])
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
  gone bigint;
  told bigint[];
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN QUERY SELECT CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END, 0::bigint, '{}'::bigint[];
    RETURN;
  END IF;
  UPDATE groups SET deleted_at = now() WHERE gid = p_gid;
  DELETE FROM log WHERE gid = p_gid;
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM 1 FROM member m WHERE m.gid = p_gid ORDER BY m.device_id, m.gid, m.from_seq FOR UPDATE;
  SELECT coalesce(array_agg(DISTINCT m.device_id ORDER BY m.device_id), '{}') INTO told
    FROM member m WHERE m.gid = p_gid AND m.until_seq IS NULL;
  DELETE FROM member WHERE gid = p_gid;
  DELETE FROM welcome WHERE gid = p_gid;
  PERFORM 1 FROM inbox i WHERE i.gid = p_gid ORDER BY i.device_id, i.id FOR UPDATE;
  DELETE FROM inbox WHERE gid = p_gid;
  DELETE FROM group_info WHERE gid = p_gid;
  DELETE FROM group_tree WHERE gid = p_gid;
  DELETE FROM group_snapshot WHERE gid = p_gid;
  DELETE FROM commit_claim WHERE gid = p_gid;
  DELETE FROM commit_report WHERE gid = p_gid;
  DELETE FROM pending_removal WHERE gid = p_gid;
  DELETE FROM group_policy WHERE gid = p_gid;
  DELETE FROM group_admin WHERE gid = p_gid;
  DELETE FROM group_ban WHERE gid = p_gid;
  DELETE FROM group_outcast WHERE gid = p_gid;
  -- The room's name stays taken: nobody shall find strangers under it.
  INSERT INTO inbox (device_id, kind, gid) SELECT d, 'group.deleted', p_gid FROM unnest(told) AS d ORDER BY d;
  RETURN QUERY SELECT 'accepted', gone, told;
END $$;

-- After a restore or an asynchronous failover, seqs and epochs may be used a second time: nothing of the old
-- incarnation may be mixed with what comes now (§1). Returns the number of groups.
CREATE FUNCTION recovered_v1() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  bumped bigint;
BEGIN
  PERFORM 1 FROM groups ORDER BY gid FOR NO KEY UPDATE;
  UPDATE groups
     SET incarnation = incarnation + 1, chain_from_seq = head_seq,
         head_chain = log_chain_start_v1(group_id, incarnation + 1)
   WHERE deleted_at IS NULL;
  GET DIAGNOSTICS bumped = ROW_COUNT;
  INSERT INTO inbox (device_id, kind, gid)
  SELECT m.device_id, 'resync', m.gid FROM member m JOIN groups g USING (gid)
   WHERE m.until_seq IS NULL AND g.deleted_at IS NULL ORDER BY m.device_id, m.gid;
  -- Some of them were handed out after the backup was taken.
  DELETE FROM key_package;
  RETURN bumped;
END $$;
