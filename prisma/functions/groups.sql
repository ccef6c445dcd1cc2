-- The life of a group: create, delete, and what a restore asks for. Resets and successors: rooms.sql.

-- A new group, its creator its only member. p_group_id is its MLS group id; its address is another one only if another group has that one. With p_successor_of it takes the place of a frozen group, once (compare-and-set); who may do that, see
-- judge_successor in rooms.sql. Outcomes: accepted, duplicate, exists (also announced by a ReInit of another group), room-taken,
-- successor-taken, account-full, too-many-groups, retry, and those of judge_successor.
--   p_policy_version  the policy of the frozen group under which the successor was judged: its admins and its policy. NULL: not judged by it
--   p_max_account, p_max_groups  bytes that all groups of the creator may keep, and how many they may be; NULL: no limit
DROP FUNCTION IF EXISTS create_group(
  bytea, text, integer, bigint, bigint, bigint, text, bytea, bytea, bytea, bytea, text, bytea, text, text, integer
);
DROP FUNCTION IF EXISTS create_group(
  bytea, text, integer, bigint, bigint, bigint, text, bytea, bytea, bytea, bytea, text, bytea, text, text, integer, bigint, bigint
);
DROP FUNCTION IF EXISTS create_group(
  bytea, text, integer, bigint, bigint, bigint, text, bytea, bytea, bytea, bytea, text, bytea, text, text, integer, bigint, bigint, bigint
);
CREATE OR REPLACE FUNCTION create_group(
  p_group_id bytea, p_mode text, p_suite integer, p_epoch bigint, p_device bigint, p_user bigint, p_room text,
  p_group_info bytea, p_tree bytea, p_snapshot bytea, p_successor_of bytea,
  p_external_join text, p_join_code_hash bytea, p_add text, p_remove text, p_reports integer,
  p_max_account bigint DEFAULT NULL, p_max_groups bigint DEFAULT NULL, p_policy_version bigint DEFAULT NULL, p_identities text DEFAULT 'any'
) RETURNS TABLE (outcome text, gid bigint, incarnation integer, chain bytea, room_id text) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  old groups;
  made groups;
  stored bytea;
  excess text;
  address bytea;
BEGIN
  IF p_successor_of IS NOT NULL THEN
    SELECT * INTO old FROM groups g WHERE g.group_id = p_successor_of FOR NO KEY UPDATE;
    excess := CASE WHEN FOUND THEN judge_successor(old, p_group_id, p_device, p_user) ELSE 'predecessor' END;
    IF excess IS NOT NULL THEN
      RETURN QUERY SELECT excess, NULL::bigint, NULL::integer, successor_address(old), old.room_id;
      RETURN;
    END IF;
    IF p_policy_version IS NOT NULL AND old.successor_group_id IS NULL AND NOT policy_is(old.gid, p_policy_version) THEN
      RETURN QUERY SELECT 'retry', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
    p_room := old.room_id;
  END IF;

  PERFORM lock_group_id(p_group_id);
  IF EXISTS (SELECT FROM groups g WHERE g.announced_group_id = p_group_id AND g.gid IS DISTINCT FROM old.gid) THEN
    RETURN QUERY SELECT 'exists', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
    RETURN;
  END IF;
  SELECT * INTO made FROM groups g WHERE g.gid = own_group(p_group_id);
  address := coalesce(made.group_id, free_address(NULL, p_group_id, false));
  INSERT INTO groups (group_id, mls_group_id, mode, cipher_suite, epoch, head_chain, room_id, payer, predecessor_gid, bytes)
  VALUES (address, nullif(p_group_id, address), p_mode, p_suite, p_epoch, log_chain_start(p_group_id, 1), p_room, p_user, old.gid,
          octet_length(p_group_info) + coalesce(octet_length(p_tree), 0) + coalesce(octet_length(p_snapshot), 0))
  ON CONFLICT (group_id) DO NOTHING RETURNING * INTO made;
  IF NOT FOUND THEN
    SELECT * INTO made FROM groups g WHERE g.group_id = address;
    SELECT i.bytes INTO stored FROM group_info i WHERE i.gid = made.gid AND i.epoch = p_epoch;
    RETURN QUERY SELECT
      CASE WHEN made.deleted_at IS NULL AND stored = p_group_info AND (old.gid IS NULL OR old.successor_group_id = p_group_id)
                AND EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = made.gid AND m.from_seq = 1)
           THEN 'duplicate' ELSE 'exists' END,
      made.gid, made.incarnation, log_chain_start(p_group_id, made.incarnation), made.room_id;
    RETURN;
  END IF;

  SELECT CASE WHEN count(*) > p_max_groups THEN 'too-many-groups' WHEN sum(g.bytes) > p_max_account THEN 'account-full' END INTO excess
    FROM groups g WHERE g.payer = p_user AND g.deleted_at IS NULL;
  IF excess IS NOT NULL THEN
    DELETE FROM groups g WHERE g.gid = made.gid;
    RETURN QUERY SELECT excess, NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
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
  -- A room that is certified stays so, also where a node of the release before makes the successor.
  INSERT INTO group_policy (gid, external_join, join_code_hash, add_members, remove_members, reports_to_reset, identities)
  VALUES (made.gid, p_external_join, p_join_code_hash, p_add, p_remove, p_reports,
          CASE WHEN EXISTS (SELECT FROM group_policy p WHERE p.gid = old.gid AND p.identities = 'certified') THEN 'certified' ELSE p_identities END);
  -- The creator of the successor gets no rights by it that the predecessor did not give.
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
    INSERT INTO outcast_device (gid, device_id)
    SELECT made.gid, o.device_id FROM outcast_device o
     WHERE o.gid = old.gid AND NOT EXISTS (SELECT FROM member m WHERE m.device_id = o.device_id AND m.gid = old.gid)
     UNION
    SELECT made.gid, m.device_id FROM member m WHERE m.gid = old.gid
     GROUP BY m.device_id HAVING (array_agg(m.ended ORDER BY m.until_seq DESC NULLS FIRST))[1] = 'removed';
    PERFORM tell_frozen(old);
  END IF;
  RETURN QUERY SELECT 'accepted', made.gid, made.incarnation, made.head_chain, made.room_id;
END $$;

-- create_group, and those with whom a group begins at epoch 1 (RFC 9420 §11.2, §11.3).
--   p_branch_of       the group that it branches from; with p_successor_of, one or the other
--   p_added[i]        a device other than the creator's, which is a member of the group before; p_added_welcome[i] the ordinal (from 1) of its Welcome
--   p_refs            KeyPackageRefs that the Welcomes answer: nobody is given those again
-- What came before the log counts as its entry 0: its members read from 1 on, and their Welcomes are of seq 0.
-- Outcomes beyond those of create_group: members-changed (one of them is no member of the group before any more, or leaves it),
-- no-consent (the creator branches with users who have blocked it), key-package-used (a repeated creation is recognised before these).
DROP FUNCTION IF EXISTS create_group_with_members(
  bytea, text, integer, bigint, bigint, bigint, text, bytea, bytea, bytea, bytea, text, bytea, text, text, integer,
  bytea, bigint[], integer[], bytea[], timestamptz[], bytea[]
);
DROP FUNCTION IF EXISTS create_group_with_members(
  bytea, text, integer, bigint, bigint, bigint, text, bytea, bytea, bytea, bytea, text, bytea, text, text, integer,
  bytea, bigint[], integer[], bytea[], timestamptz[], bytea[], bigint, bigint
);
DROP FUNCTION IF EXISTS create_group_with_members(
  bytea, text, integer, bigint, bigint, bigint, text, bytea, bytea, bytea, bytea, text, bytea, text, text, integer,
  bytea, bigint[], integer[], bytea[], timestamptz[], bytea[], bigint, bigint, bigint
);
CREATE OR REPLACE FUNCTION create_group_with_members(
  p_group_id bytea, p_mode text, p_suite integer, p_epoch bigint, p_device bigint, p_user bigint, p_room text,
  p_group_info bytea, p_tree bytea, p_snapshot bytea, p_successor_of bytea,
  p_external_join text, p_join_code_hash bytea, p_add text, p_remove text, p_reports integer,
  p_branch_of bytea, p_added bigint[], p_added_welcome integer[], p_welcome bytea[], p_welcome_expires timestamptz[], p_refs bytea[],
  p_max_account bigint DEFAULT NULL, p_max_groups bigint DEFAULT NULL, p_policy_version bigint DEFAULT NULL, p_identities text DEFAULT 'any'
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
       WHERE NOT EXISTS (
         SELECT FROM member m WHERE m.device_id = x.device_id AND m.gid = before_gid AND m.until_seq IS NULL AND m.read_until IS NULL
       )
    ) THEN
      RETURN QUERY SELECT 'members-changed', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
    -- Members of a successor are in the group together already.
    IF p_branch_of IS NOT NULL AND EXISTS (SELECT FROM blockers_among(p_added, p_user))
       AND own_group(p_group_id) IS NULL THEN
      RETURN QUERY SELECT 'no-consent', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
    IF NOT key_packages_unused(p_refs, p_room) AND own_group(p_group_id) IS NULL THEN
      RETURN QUERY SELECT 'key-package-used', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
  END IF;

  SELECT * INTO made FROM create_group(
    p_group_id => p_group_id, p_mode => p_mode, p_suite => p_suite, p_epoch => p_epoch, p_device => p_device, p_user => p_user, p_room => p_room,
    p_group_info => p_group_info, p_tree => p_tree, p_snapshot => p_snapshot, p_successor_of => p_successor_of,
    p_external_join => p_external_join, p_join_code_hash => p_join_code_hash, p_add => p_add, p_remove => p_remove, p_reports => p_reports, p_max_account => p_max_account, p_max_groups => p_max_groups,
    p_policy_version => p_policy_version, p_identities => p_identities);
  IF made.outcome = 'accepted' AND cardinality(p_added) > 0 THEN
    -- Of epoch 0 only the creator has the keys.
    UPDATE groups g SET post_floor = p_epoch, bytes = g.bytes + bytes_of(p_welcome) WHERE g.gid = made.gid;
    INSERT INTO member (device_id, gid, from_seq, join_epoch, acked)
    SELECT x.device_id, made.gid, 1, p_epoch, 0 FROM unnest(p_added) AS x (device_id) ORDER BY x.device_id;
    PERFORM hold_invitations(made.gid, p_added, array_fill(p_user, ARRAY[cardinality(p_added)]));
    INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at)
    SELECT made.gid, 0, w.ord, p_epoch, w.bytes, w.expires_at
      FROM unnest(p_welcome, p_welcome_expires) WITH ORDINALITY AS w (bytes, expires_at, ord);
    INSERT INTO inbox (device_id, kind, gid, seq, ordinal)
    SELECT x.device_id, 'welcome', made.gid, 0, x.ordinal
      FROM unnest(p_added, p_added_welcome) AS x (device_id, ordinal) ORDER BY x.device_id;
    PERFORM use_key_packages(p_refs, made.room_id);
  END IF;
  RETURN QUERY SELECT made.outcome, made.gid, made.incarnation, made.chain, made.room_id;
END $$;

-- Deletion of a group: its tombstone. From then on nothing of it can be read (invariant 8): every statement that reads its bytes asks for
-- deleted_at. Members, inboxes, policy and cursors go at once, and of log, Welcomes, GroupInfos, trees and snapshots a first slice, which is all
-- that most groups have; delete_remains takes the rest.
-- `entries` counts the log rows, before the lock, so that nobody waits for the count; `devices` are those that were members. Those of this
-- provider (p_domain) find group.deleted in their inbox; every other provider that ever had members owes a receipt (peer_deletion).
--   p_admin   who has to be an admin at this moment; NULL: nobody, the hub has decided. Outcome forbidden
DROP FUNCTION IF EXISTS delete_group(text, bigint);
CREATE OR REPLACE FUNCTION delete_group(p_domain text, p_gid bigint, p_admin bigint DEFAULT NULL)
RETURNS TABLE (outcome text, entries bigint, devices bigint[]) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
  counted bigint;
  counted_to bigint;
  told bigint[];
BEGIN
  SELECT x.head_seq, (SELECT count(*) FROM log l WHERE l.gid = p_gid) INTO counted_to, counted FROM groups x WHERE x.gid = p_gid AND x.deleted_at IS NULL;
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN QUERY SELECT CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END, 0::bigint, '{}'::bigint[];
    RETURN;
  END IF;
  IF p_admin IS NOT NULL AND NOT authorize_admin(p_gid, p_admin) THEN
    RETURN QUERY SELECT 'forbidden', 0::bigint, '{}'::bigint[];
    RETURN;
  END IF;
  INSERT INTO peer_deletion (domain, group_id, room_id, incarnation)
  SELECT c.domain, mls_id(g), g.room_id, g.incarnation FROM peer_cursor c WHERE c.gid = p_gid
  ON CONFLICT DO NOTHING;
  DELETE FROM peer_cursor WHERE gid = p_gid;
  UPDATE groups SET deleted_at = now(), bytes = 0, announced_group_id = NULL WHERE gid = p_gid;
  PERFORM 1 FROM member m WHERE m.gid = p_gid ORDER BY m.device_id, m.gid, m.from_seq FOR UPDATE;
  SELECT coalesce(array_agg(DISTINCT m.device_id ORDER BY m.device_id), '{}') INTO told
    FROM member m WHERE m.gid = p_gid AND m.until_seq IS NULL AND m.read_until IS NULL;
  DELETE FROM member WHERE gid = p_gid;
  PERFORM 1 FROM inbox i WHERE i.gid = p_gid ORDER BY i.device_id, i.id FOR UPDATE;
  DELETE FROM inbox WHERE gid = p_gid;
  DELETE FROM commit_claim WHERE gid = p_gid;
  DELETE FROM commit_report WHERE gid = p_gid;
  DELETE FROM pending_removal WHERE gid = p_gid;
  DELETE FROM group_policy WHERE gid = p_gid;
  DELETE FROM group_admin WHERE gid = p_gid;
  DELETE FROM group_ban WHERE gid = p_gid;
  DELETE FROM group_outcast WHERE gid = p_gid;
  DELETE FROM outcast_device WHERE gid = p_gid;
  -- The room's name stays taken, so that nobody finds strangers under it.
  INSERT INTO inbox (device_id, kind, gid)
  SELECT t.id, 'group.deleted', p_gid FROM unnest(told) AS t (id)
   WHERE NOT EXISTS (SELECT FROM device d WHERE d.id = t.id AND provider_of(d.client_uri) <> p_domain)
   ORDER BY t.id;
  INSERT INTO group_remains (gid) VALUES (p_gid);
  PERFORM delete_remains(p_gid, 1000);
  RETURN QUERY SELECT 'accepted', counted + g.head_seq - counted_to, told;
END $$;

-- Deletes a slice of what is left of a deleted group: p_rows rows of each table at most, and of the log not much more than 16 MiB. Returns whether
-- there may be more. Where somebody else is at it, it does nothing. It locks no row of `groups`: no lock of it is waited for, nor held.
CREATE OR REPLACE FUNCTION delete_remains(p_gid bigint, p_rows integer) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  reached bigint;
  next bigint;
  more boolean;
BEGIN
  SELECT r.after_seq INTO reached FROM group_remains r WHERE r.gid = p_gid FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  SELECT max(y.seq) INTO next FROM (
    SELECT x.seq, sum(x.size) OVER (ORDER BY x.seq) - x.size AS before FROM (
      SELECT l.seq, octet_length(l.bytes) AS size FROM log l WHERE l.gid = p_gid AND l.seq > reached ORDER BY l.seq LIMIT p_rows
    ) x
  ) y WHERE y.before < 16777216;
  IF next IS NOT NULL THEN
    DELETE FROM log l WHERE l.gid = p_gid AND l.seq > reached AND l.seq <= next;
    UPDATE group_remains r SET after_seq = next WHERE r.gid = p_gid;
  END IF;
  -- Retention deletes Welcomes as well, and in another order.
  DELETE FROM welcome w WHERE w.ctid = ANY (ARRAY(SELECT x.ctid FROM welcome x WHERE x.gid = p_gid LIMIT p_rows FOR UPDATE SKIP LOCKED));
  DELETE FROM group_info i WHERE i.ctid = ANY (ARRAY(SELECT x.ctid FROM group_info x WHERE x.gid = p_gid LIMIT p_rows));
  DELETE FROM group_tree t WHERE t.ctid = ANY (ARRAY(SELECT x.ctid FROM group_tree x WHERE x.gid = p_gid LIMIT p_rows));
  DELETE FROM group_snapshot s WHERE s.ctid = ANY (ARRAY(SELECT x.ctid FROM group_snapshot x WHERE x.gid = p_gid LIMIT p_rows));
  DELETE FROM draft_tree t WHERE t.ctid = ANY (ARRAY(SELECT x.ctid FROM draft_tree x WHERE x.gid = p_gid LIMIT p_rows));
  more := EXISTS (SELECT FROM log l WHERE l.gid = p_gid AND l.seq > next)
       OR EXISTS (SELECT FROM welcome w WHERE w.gid = p_gid)
       OR EXISTS (SELECT FROM group_info i WHERE i.gid = p_gid)
       OR EXISTS (SELECT FROM group_tree t WHERE t.gid = p_gid)
       OR EXISTS (SELECT FROM group_snapshot s WHERE s.gid = p_gid)
       OR EXISTS (SELECT FROM draft_tree t WHERE t.gid = p_gid);
  IF NOT more THEN
    DELETE FROM group_remains r WHERE r.gid = p_gid;
  END IF;
  RETURN more;
END $$;

-- After a restore or an asynchronous failover, seqs and epochs may be used a second time: nothing of the old incarnation may be mixed
-- with what comes now (docs/architecture.md §1). Groups of other hubs keep theirs. Returns the number of groups and their incarnation.
--
-- The incarnation is one number for all groups: the next second since 2026 by this server's clock, and the function ends when that second has
-- begun. So a later call gets a greater one, also on another copy of the same backup, which knows nothing of the call before; "the backup's
-- + 1" was given out twice. A clock that is behind what the database has seen would break that, and is refused: p_above is for an operator
-- who knows a greater number from before and cannot set the clock. As an integer it lasts until 2094.
DROP FUNCTION IF EXISTS recovered();
CREATE OR REPLACE FUNCTION recovered(p_above integer DEFAULT NULL) RETURNS TABLE (bumped bigint, incarnation integer) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  fresh integer := floor(extract(epoch FROM clock_timestamp() - timestamptz '2026-01-01 00:00:00+00'))::integer + 1;
  highest integer;
  newest timestamptz;
  moved bigint;
BEGIN
  PERFORM 1 FROM groups ORDER BY gid FOR NO KEY UPDATE;
  SELECT max(g.incarnation) INTO highest FROM groups g WHERE NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid);
  SELECT max(l.accepted_at) INTO newest FROM groups g
   CROSS JOIN LATERAL (SELECT x.accepted_at FROM log x WHERE x.gid = g.gid AND x.seq = g.head_seq OFFSET 0) l
   WHERE NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid);
  IF p_above IS NOT NULL THEN
    fresh := greatest(fresh, p_above + 1, highest + 1);
  ELSIF fresh <= highest OR newest > clock_timestamp() + interval '1 second' THEN
    RAISE EXCEPTION 'the clock of PostgreSQL is behind what the database has seen'
      USING HINT = 'Set the clock, or name the greatest incarnation that was ever in use: cli recovered --above N';
  END IF;
  UPDATE groups g
     SET incarnation = fresh, chain_from_seq = head_seq, head_chain = log_chain_start(coalesce(mls_group_id, group_id), fresh),
         reused_above = least(reused_above, epoch)
   WHERE deleted_at IS NULL AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid);
  GET DIAGNOSTICS moved = ROW_COUNT;
  -- A peer may have stored more than what is left here.
  UPDATE peer_cursor c SET acked = least(c.acked, g.head_seq) FROM groups g WHERE g.gid = c.gid;
  INSERT INTO inbox (device_id, kind, gid)
  SELECT m.device_id, 'resync', m.gid FROM member m JOIN groups g USING (gid)
   WHERE m.until_seq IS NULL AND m.read_until IS NULL AND g.deleted_at IS NULL AND m.acked < 9223372036854775807 ORDER BY m.device_id, m.gid;
  -- Some of them were handed out after the backup was taken.
  DELETE FROM key_package;
  PERFORM pg_sleep(greatest(0, extract(epoch FROM timestamptz '2026-01-01 00:00:00+00' + fresh * interval '1 second' - clock_timestamp())))
    WHERE p_above IS NULL;
  RETURN QUERY SELECT moved, fresh;
END $$;

-- What a group keeps, counted: groups.bytes without the counter.
CREATE OR REPLACE FUNCTION held_bytes(p_gid bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT sum(octet_length(bytes)) FROM log WHERE gid = p_gid), 0)::bigint
       + coalesce((SELECT sum(octet_length(bytes)) FROM welcome WHERE gid = p_gid), 0)
       + coalesce((SELECT sum(octet_length(bytes)) FROM group_info WHERE gid = p_gid), 0)
       + coalesce((SELECT sum(octet_length(bytes)) FROM group_tree WHERE gid = p_gid), 0)
       + coalesce((SELECT sum(octet_length(bytes)) FROM group_snapshot WHERE gid = p_gid), 0)
       + coalesce((SELECT sum(octet_length(bytes)) FROM draft_tree WHERE gid = p_gid), 0)
$$;
