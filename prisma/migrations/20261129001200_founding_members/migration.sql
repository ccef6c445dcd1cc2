-- create_group_v1, and those with whom a group begins at epoch 1 (RFC 9420 §11.2, §11.3).
--   p_branch_of       the group that it branches from; with p_successor_of, one or the other
--   p_added[i]        a device beside the creator, which is a member of the group before; p_added_welcome[i] the ordinal (from 1) of its Welcome
--   p_refs            KeyPackageRefs that the Welcomes answer: nobody is given those again
-- What came before the log counts as its entry 0: its members read from 1 on, and their Welcomes are of seq 0.
-- Outcomes beyond those of v1: members-changed (one of them is no member of the group before any more).
CREATE FUNCTION create_group_v2(
  p_group_id bytea, p_mode text, p_suite integer, p_epoch bigint, p_device bigint, p_user bigint, p_room text,
  p_group_info bytea, p_tree bytea, p_snapshot bytea, p_successor_of bytea,
  p_external_join text, p_join_code_hash bytea, p_add text, p_remove text, p_reports integer,
  p_branch_of bytea, p_added bigint[], p_added_welcome integer[], p_welcome bytea[], p_welcome_expires timestamptz[], p_refs bytea[]
) RETURNS TABLE (outcome text, gid bigint, incarnation integer, chain bytea, room_id text) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  before_gid bigint;
  made record;
BEGIN
  IF p_branch_of IS NOT NULL OR cardinality(p_added) > 0 THEN
    SELECT g.gid INTO before_gid FROM groups g WHERE g.group_id = coalesce(p_successor_of, p_branch_of) FOR NO KEY UPDATE;
    IF EXISTS (
      SELECT FROM unnest(p_added || p_device) AS x (device_id)
       WHERE NOT EXISTS (SELECT FROM member m WHERE m.device_id = x.device_id AND m.gid = before_gid AND m.until_seq IS NULL)
    ) THEN
      RETURN QUERY SELECT 'members-changed', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
  END IF;

  SELECT * INTO made FROM create_group_v1(
    p_group_id, p_mode, p_suite, p_epoch, p_device, p_user, p_room, p_group_info, p_tree, p_snapshot, p_successor_of,
    p_external_join, p_join_code_hash, p_add, p_remove, p_reports);
  IF made.outcome = 'accepted' AND cardinality(p_added) > 0 THEN
    -- Of epoch 0 only the creator has the keys.
    UPDATE groups g SET post_floor = p_epoch WHERE g.gid = made.gid;
    INSERT INTO member (device_id, gid, from_seq, join_epoch, acked)
    SELECT x.device_id, made.gid, 1, p_epoch, 0 FROM unnest(p_added) AS x (device_id) ORDER BY x.device_id;
    INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at)
    SELECT made.gid, 0, w.ord, p_epoch, w.bytes, w.expires_at
      FROM unnest(p_welcome, p_welcome_expires) WITH ORDINALITY AS w (bytes, expires_at, ord);
    INSERT INTO inbox (device_id, kind, gid, seq, ordinal)
    SELECT x.device_id, 'welcome', made.gid, 0, x.ordinal
      FROM unnest(p_added, p_added_welcome) AS x (device_id, ordinal) ORDER BY x.device_id;
    UPDATE key_package_claim SET used = true WHERE ref = ANY (p_refs) AND NOT used;
  END IF;
  RETURN QUERY SELECT made.outcome, made.gid, made.incarnation, made.chain, made.room_id;
END $$;
