-- A member's Commit of a private group could end a wish to leave by adding the device once more. All but that is as it was.

-- Everything that one Commit changes, in one transaction (invariant 2).
--   p_external        the committer joins by this Commit (or resyncs its own leaf): no membership is asked for
--   p_added[i]        a device that joins; p_added_welcome[i] the ordinal (from 1) of the Welcome that is for it
--   p_removed[i]      a device that is out after this Commit, p_removed_reason[i] why (member.ended)
--   p_followup[i]     the regenerated Remove proposal, for the new epoch, of the pending p_followup_device[i]
--   p_unsigned        pending devices whose Remove the server cannot sign for the new epoch: their leaf is unknown again
--   p_policy_version  the policy under which the Commit was judged
-- Outcomes beyond the shared ones: retry (policy or pending removals changed since it was judged), banned.
CREATE OR REPLACE FUNCTION submit_commit_v1(
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
  -- Who is added again by others has not taken back that it leaves; who joins by itself has.
  DELETE FROM pending_removal WHERE gid = p_gid AND (device_id = ANY (p_removed) OR p_external AND device_id = ANY (p_added));
  UPDATE pending_removal SET proposed_epoch = next_epoch WHERE gid = p_gid AND device_id = ANY (p_followup_device);
  UPDATE pending_removal SET leaf_index = NULL WHERE gid = p_gid AND device_id = ANY (p_unsigned);

  RETURN ('accepted', commit_seq, next_epoch, commit_chain, g.incarnation)::submission_v1;
END $$;
