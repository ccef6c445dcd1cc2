-- A room outlives its groups: how a group is stopped, and which one takes its place (docs/adr/0030-rooms.md). A function that is given a row of
-- `groups` is for a caller that has locked it.

-- Until the transaction ends, nobody else takes this id or address, or announces it: these are rows of different kinds, which no index compares.
CREATE OR REPLACE FUNCTION lock_group_id(p_group_id bytea) RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT pg_advisory_xact_lock(hashtextextended(encode(p_group_id, 'hex'), 17))
$$;

-- The same where it can be had at once.
CREATE OR REPLACE FUNCTION try_lock_group_id(p_group_id bytea) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT pg_try_advisory_xact_lock(hashtextextended(encode(p_group_id, 'hex'), 17))
$$;

-- The MLS group id of a group, which is its address unless that was taken.
CREATE OR REPLACE FUNCTION mls_id(g groups) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(g.mls_group_id, g.group_id)
$$;

-- The group that is, or was, at home here with this MLS group id. What other hubs have is none of its business.
CREATE OR REPLACE FUNCTION own_group(p_mls_group_id bytea) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT x.gid FROM (
    SELECT g.gid FROM groups g WHERE g.group_id = p_mls_group_id AND g.mls_group_id IS NULL
     UNION ALL
    SELECT g.gid FROM groups g WHERE g.mls_group_id = p_mls_group_id
  ) x WHERE NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = x.gid OFFSET 0) LIMIT 1
$$;

-- Whether a group here has the id, had it before it was deleted, or has announced it.
CREATE OR REPLACE FUNCTION group_id_taken(p_group_id bytea) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT own_group(p_group_id) IS NOT NULL OR EXISTS (SELECT FROM groups g WHERE g.announced_group_id = p_group_id)
$$;

-- An address that no other group has, for a group of another hub (p_hub) or one here (NULL): its id if that is free, else one made of hub and id.
-- What is only found, by p_found or by what stands there, gives way to what is proven, ten minutes after somebody has looked it up: until then who has
-- may join by that address, with a join code that is for its hub. What is announced here is kept for the successor.
-- Until the transaction ends nobody else takes the address.
CREATE OR REPLACE FUNCTION free_address(p_hub text, p_mls_group_id bytea, p_found boolean) RETURNS bytea LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  address bytea := p_mls_group_id;
BEGIN
  FOR attempt IN 1 .. 100 LOOP
    PERFORM lock_group_id(address);
    IF NOT p_found THEN
      DELETE FROM followed_group f
       WHERE f.group_id = address AND f.gid IS NULL AND f.deleted_at IS NULL AND f.first_seen_at < now() - interval '10 minutes';
    END IF;
    IF NOT EXISTS (SELECT FROM groups g WHERE g.group_id = address) AND NOT EXISTS (SELECT FROM followed_group f WHERE f.group_id = address)
       AND (p_hub IS NULL OR NOT EXISTS (SELECT FROM groups g WHERE g.announced_group_id = address)) THEN
      RETURN address;
    END IF;
    address := sha256(
      convert_to('microchat group address', 'UTF8') || convert_to(coalesce(p_hub, ''), 'UTF8') || decode('00', 'hex') || p_mls_group_id || int4send(attempt)
    );
  END LOOP;
  RAISE EXCEPTION 'no address is free for a group';
END $$;

-- Where a group of another hub is addressed here: the same at each call. NULL: the hub has it in another room, or its entries come in another dialect.
--   p_found     it was found by its room, and no device here has joined: it keeps its address from others for ten minutes, and goes when nobody joins
--   p_dialect   'profile' or 'draft', in which its entries come; a node of the release before names none
DROP FUNCTION IF EXISTS reserve_for_hub(bytea);
DROP FUNCTION IF EXISTS follow_group(text, bytea, text, boolean);
CREATE OR REPLACE FUNCTION follow_group(p_hub text, p_mls_group_id bytea, p_room text, p_found boolean, p_dialect text DEFAULT 'profile') RETURNS bytea
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  known followed_group;
  address bytea;
BEGIN
  PERFORM lock_group_id(p_mls_group_id);
  IF p_found THEN
    DELETE FROM followed_group f
     WHERE f.room_id = p_room AND f.gid IS NULL AND f.deleted_at IS NULL AND coalesce(f.mls_group_id, f.group_id) <> p_mls_group_id;
  END IF;
  SELECT * INTO known FROM followed_group f WHERE f.hub = p_hub AND coalesce(f.mls_group_id, f.group_id) = p_mls_group_id;
  IF FOUND AND (known.room_id <> p_room OR known.dialect <> p_dialect) AND (known.gid IS NOT NULL OR known.deleted_at IS NOT NULL) THEN
    RETURN NULL;
  ELSIF FOUND THEN
    UPDATE followed_group SET room_id = p_room, dialect = p_dialect, first_seen_at = now() WHERE group_id = known.group_id AND gid IS NULL AND deleted_at IS NULL;
    RETURN known.group_id;
  END IF;
  address := free_address(p_hub, p_mls_group_id, p_found);
  INSERT INTO followed_group (group_id, mls_group_id, hub, room_id, dialect)
  VALUES (address, nullif(p_mls_group_id, address), p_hub, p_room, p_dialect);
  RETURN address;
END $$;

-- The address of the group that took the place of g. NULL: there is none, or it is one of another hub that is not known here yet, while another
-- group has that address: its Welcome brings it.
CREATE OR REPLACE FUNCTION successor_address(g groups) RETURNS bytea LANGUAGE plpgsql STABLE AS $$
DECLARE
  elsewhere text;
  found bytea;
BEGIN
  IF g.successor_group_id IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT f.hub INTO elsewhere FROM followed_group f WHERE f.gid = g.gid;
  IF elsewhere IS NULL THEN
    SELECT x.group_id INTO found FROM groups x WHERE x.gid = own_group(g.successor_group_id);
    RETURN coalesce(found, g.successor_group_id);
  END IF;
  SELECT f.group_id INTO found FROM followed_group f WHERE f.hub = elsewhere AND coalesce(f.mls_group_id, f.group_id) = g.successor_group_id;
  IF found IS NULL AND NOT EXISTS (SELECT FROM groups x WHERE x.group_id = g.successor_group_id) THEN
    found := g.successor_group_id;
  END IF;
  RETURN found;
END $$;

-- Members of a group that stopped, of this provider or not, find group.frozen in their inboxes, which is read with the group as it is then: also
-- that it goes on, or has a successor. One of them waits at most, behind what was told before. Other providers get a batch that says so.
CREATE OR REPLACE FUNCTION tell_frozen(old groups) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM 1 FROM inbox i WHERE i.gid = old.gid AND i.kind = 'group.frozen' ORDER BY i.device_id, i.id FOR UPDATE;
  DELETE FROM inbox WHERE gid = old.gid AND kind = 'group.frozen';
  INSERT INTO inbox (device_id, kind, gid)
  SELECT m.device_id, 'group.frozen', old.gid FROM member m
   WHERE m.gid = old.gid AND m.until_seq IS NULL AND m.read_until IS NULL
     AND NOT EXISTS (SELECT FROM foreign_user f JOIN device d ON d.account_id = f.account_id WHERE d.id = m.device_id)
   ORDER BY m.device_id;
  UPDATE groups SET stops = stops + 1 WHERE gid = old.gid;
END $$;

-- At a follower: the group has stopped, goes on, or has another successor, by the hub's word. Returns the devices that find it in their inboxes.
CREATE OR REPLACE FUNCTION follow_stop(p_gid bigint, p_frozen text, p_successor bytea) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  old groups;
BEGIN
  UPDATE groups SET frozen = p_frozen, successor_group_id = p_successor WHERE gid = p_gid RETURNING * INTO old;
  PERFORM tell_frozen(old);
  RETURN ARRAY(SELECT i.device_id FROM inbox i WHERE i.gid = p_gid AND i.kind = 'group.frozen');
END $$;

-- Whether this caller may put the group p_group_id in the place of `old`. NULL: continue. Outcomes: predecessor (not frozen, or the caller is
-- neither in it nor its admin), banned, successor-taken, reserved (for admins and who reset it by reports, up to old.reserved_until), announced (the ReInit
-- named another id).
CREATE OR REPLACE FUNCTION judge_successor(old groups, p_group_id bytea, p_device bigint, p_user bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  is_admin boolean := authorize_admin(old.gid, p_user);
BEGIN
  RETURN CASE
    WHEN old.deleted_at IS NOT NULL OR old.frozen IS NULL THEN 'predecessor'
    WHEN NOT is_admin AND NOT EXISTS (
      SELECT FROM member m WHERE m.device_id = p_device AND m.gid = old.gid AND m.until_seq IS NULL AND m.read_until IS NULL
    ) THEN 'predecessor'
    WHEN EXISTS (SELECT FROM group_ban b WHERE b.gid = old.gid AND b.user_id = p_user) THEN 'banned'
    WHEN old.successor_group_id <> p_group_id THEN 'successor-taken'
    WHEN old.successor_group_id = p_group_id THEN NULL
    WHEN NOT is_admin AND old.reserved_until > now() AND old.reserved_for IS DISTINCT FROM p_user THEN 'reserved'
    WHEN old.announced_group_id <> p_group_id THEN 'announced'
  END;
END $$;

-- Whether a user's report of a Commit counts: the user was a member when the Commit was accepted, and has been one ever since. Who joined by that
-- Commit or later, who left, and who came back from outside has nothing to do with it.
CREATE OR REPLACE FUNCTION report_counts(p_gid bigint, p_seq bigint, p_user bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM device d CROSS JOIN LATERAL (
    SELECT FROM member m WHERE m.device_id = d.id AND m.gid = p_gid AND m.until_seq IS NULL AND m.from_seq <= p_seq OFFSET 0
  ) m WHERE d.account_id = p_user)
$$;

-- How many users have to report a Commit for a reset: as many as the policy says, and more than half of those who were members when it was accepted.
CREATE OR REPLACE FUNCTION reports_needed(p_gid bigint, p_seq bigint) RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT greatest(p.reports_to_reset, (
    SELECT count(DISTINCT d.account_id)::integer / 2 + 1 FROM member m JOIN device d ON d.id = m.device_id
     WHERE m.gid = p_gid AND m.from_seq <= p_seq AND (m.until_seq IS NULL OR m.until_seq >= p_seq)
  )) FROM group_policy p WHERE p.gid = p_gid
$$;

-- Whether the user is one of enough who reported one and the same Commit.
CREATE OR REPLACE FUNCTION enough_reports(p_gid bigint, p_user bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM commit_report own
     WHERE own.gid = p_gid AND own.user_id = p_user AND report_counts(p_gid => p_gid, p_seq => own.seq, p_user => p_user)
       AND reports_needed(p_gid => p_gid, p_seq => own.seq) <= (
         SELECT count(*) FROM commit_report r WHERE r.gid = p_gid AND r.seq = own.seq AND report_counts(p_gid => p_gid, p_seq => r.seq, p_user => r.user_id)
       )
  )
$$;

-- Stops a group for a reset: no entry is taken any more, one successor may take its place. An admin also turns a ReInit that has no successor into
-- a reset: what it announced does not bind any more.
--   p_admin   who has to be an admin at this moment. Outcome forbidden
--   p_user    who resets; without p_admin, one of those who reported a Commit. Outcome few-reports. NULL: the release before has judged that
--   p_grace   seconds for which the place of the group is reserved
DROP FUNCTION IF EXISTS freeze_group(bigint, text);
DROP FUNCTION IF EXISTS freeze_group(bigint, text, bigint);
CREATE OR REPLACE FUNCTION freeze_group(
  p_gid bigint, p_reason text, p_admin bigint DEFAULT NULL, p_user bigint DEFAULT NULL, p_grace integer DEFAULT 0
) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN 'unknown';
  ELSIF g.deleted_at IS NOT NULL THEN
    RETURN 'deleted';
  ELSIF g.frozen IS NOT NULL AND (p_admin IS NULL OR g.frozen = 'reset' OR g.successor_group_id IS NOT NULL) THEN
    RETURN 'frozen';
  ELSIF p_admin IS NOT NULL AND NOT authorize_admin(p_gid, p_admin) THEN
    RETURN 'forbidden';
  ELSIF p_admin IS NULL AND p_user IS NOT NULL AND NOT enough_reports(p_gid, p_user) THEN
    RETURN 'few-reports';
  END IF;
  UPDATE groups
     SET frozen = p_reason, frozen_at = now(), frozen_by = coalesce(p_admin, p_user), reserved_for = CASE WHEN p_admin IS NULL THEN p_user END,
         reserved_until = now() + make_interval(secs => p_grace),
         announced_group_id = NULL
   WHERE gid = p_gid;
  PERFORM tell_frozen(g);
  RETURN 'accepted';
END $$;

-- A group that was reset goes on where it stood. Reports are spent: else any one of those who reported could reset it again. And who was revoked
-- while it stood is to be removed from now on, not from the next sweep on.
DROP FUNCTION IF EXISTS resume_group(bigint);
CREATE OR REPLACE FUNCTION resume_group(g groups) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  UPDATE groups SET frozen = NULL, frozen_at = NULL, frozen_by = NULL, reserved_until = NULL, reserved_for = NULL, successor_group_id = NULL
   WHERE gid = g.gid;
  DELETE FROM commit_report WHERE gid = g.gid;
  INSERT INTO pending_removal AS r (gid, device_id, reason)
  SELECT m.gid, m.device_id, 'revoke' FROM member m JOIN device d ON d.id = m.device_id JOIN account a ON a.id = d.account_id
   WHERE m.gid = g.gid AND m.until_seq IS NULL AND (d.revoked_at IS NOT NULL OR a.disabled_at IS NOT NULL)
   ORDER BY m.device_id
  ON CONFLICT (gid, device_id) DO UPDATE SET reason = 'revoke';
  PERFORM tell_frozen(g);
END $$;

-- Another group of the room takes the place of g, which stops for good.
CREATE OR REPLACE FUNCTION stop_for(g groups, p_group_id bytea, p_by bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  UPDATE groups
     SET frozen = 'reset', frozen_at = now(), frozen_by = p_by, reserved_until = NULL, reserved_for = NULL, announced_group_id = NULL,
         successor_group_id = p_group_id
   WHERE gid = g.gid;
  PERFORM tell_frozen(g);
END $$;

-- Whether a ReInit has ended a group: no member can go on after that.
CREATE OR REPLACE FUNCTION is_reinitialized(p_gid bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM commit_claim c WHERE c.gid = p_gid AND c.reinit)
$$;

-- Takes back a reset, up to groups.reserved_until: the group goes on where it stood, and is current in its room again. A successor that came
-- meanwhile stops in its turn, and this group takes its place.
-- Outcomes: accepted, unknown, deleted, forbidden, final (not reset, too late, or the successor itself is not current any more).
CREATE OR REPLACE FUNCTION undo_reset(p_gid bigint, p_admin bigint) RETURNS TABLE (outcome text, successor bigint) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
  next groups;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN QUERY SELECT CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END, NULL::bigint;
    RETURN;
  ELSIF NOT authorize_admin(p_gid, p_admin) THEN
    RETURN QUERY SELECT 'forbidden', NULL::bigint;
    RETURN;
  ELSIF g.frozen IS DISTINCT FROM 'reset' OR coalesce(g.reserved_until <= now(), true) OR is_reinitialized(p_gid) THEN
    RETURN QUERY SELECT 'final', NULL::bigint;
    RETURN;
  END IF;
  -- Made later, so its row comes later in the order of locks.
  SELECT * INTO next FROM groups x WHERE x.gid = own_group(g.successor_group_id) AND x.deleted_at IS NULL FOR NO KEY UPDATE;
  -- It stops by this, and who has been dismissed there is no admin of the room any more.
  IF next.gid IS NOT NULL AND NOT authorize_admin(next.gid, p_admin) THEN
    RETURN QUERY SELECT 'forbidden', NULL::bigint;
    RETURN;
  END IF;
  UPDATE room r SET current_gid = p_gid
   WHERE r.room_id = g.room_id
     AND r.current_gid = coalesce(own_group(g.successor_group_id), p_gid);
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'final', NULL::bigint;
    RETURN;
  END IF;
  PERFORM resume_group(g);
  IF next.gid IS NOT NULL THEN
    PERFORM stop_for(next, mls_id(g), p_admin);
  END IF;
  RETURN QUERY SELECT 'accepted', next.gid;
END $$;

-- For the operator: makes a group of the room its current one, or a user an admin of the group that is current then. A NULL changes nothing.
-- A group that was reset goes on; one that a ReInit ended stays frozen, and another successor can be created. The one that was current until then
-- stops. p_grace as for freeze_group.
-- Outcomes: accepted, unknown (no such room), other-room (the room has had no such group, or it is deleted), changed (the room got another current
-- group in this moment).
CREATE OR REPLACE FUNCTION assign_room(p_room text, p_group_id bytea, p_admin bigint, p_grace integer) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  before groups;
  g groups;
BEGIN
  SELECT x.* INTO before FROM room r JOIN groups x ON x.gid = r.current_gid WHERE r.room_id = p_room;
  IF NOT FOUND THEN
    RETURN 'unknown';
  END IF;
  -- Both, in the order of locks. Who makes another group current holds the lock of the one before.
  PERFORM FROM groups x WHERE x.gid = before.gid OR x.group_id = p_group_id ORDER BY x.gid FOR NO KEY UPDATE;
  SELECT x.* INTO before FROM room r JOIN groups x ON x.gid = r.current_gid WHERE r.room_id = p_room AND r.current_gid = before.gid;
  IF NOT FOUND THEN
    RETURN 'changed';
  END IF;
  SELECT * INTO g FROM groups x WHERE x.group_id = coalesce(p_group_id, before.group_id) AND x.room_id = p_room AND x.deleted_at IS NULL;
  IF NOT FOUND THEN
    RETURN 'other-room';
  END IF;
  IF g.gid <> before.gid THEN
    UPDATE room SET current_gid = g.gid WHERE room_id = p_room;
    IF is_reinitialized(g.gid) THEN
      UPDATE groups SET successor_group_id = NULL, announced_group_id = NULL, reserved_for = NULL, reserved_until = now() + make_interval(secs => p_grace)
       WHERE gid = g.gid;
      PERFORM tell_frozen(g);
    ELSE
      PERFORM resume_group(g);
    END IF;
    IF before.deleted_at IS NULL THEN
      PERFORM stop_for(before, mls_id(g), NULL);
    END IF;
  END IF;
  IF p_admin IS NOT NULL THEN
    PERFORM FROM group_policy p WHERE p.gid = g.gid FOR NO KEY UPDATE;
    INSERT INTO group_admin (gid, user_id) VALUES (g.gid, p_admin) ON CONFLICT DO NOTHING;
    UPDATE group_policy SET version = version + 1 WHERE gid = g.gid;
  END IF;
  RETURN 'accepted';
END $$;
