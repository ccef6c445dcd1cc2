-- What a device decides for itself about a group: to leave it, to mute or to block it.

-- Ends the delivery to a device that leaves: it reads up to the head of this moment, and nothing at all if it has not acknowledged its
-- Welcome. Its membership ends with the Commit that removes it.
--   p_replica         the group is at home elsewhere, and its hub has accepted the leave
-- Outcomes: accepted (also if it was leaving before), unknown, deleted, frozen, not-a-member.
CREATE OR REPLACE FUNCTION leave_group(p_gid bigint, p_device bigint, p_replica boolean) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END;
  ELSIF g.frozen IS NOT NULL AND NOT p_replica THEN
    RETURN 'frozen';
  END IF;
  UPDATE member m SET read_until = coalesce(m.read_until, CASE WHEN EXISTS (
           SELECT FROM inbox i WHERE i.device_id = p_device AND i.kind = 'welcome' AND i.gid = p_gid AND i.seq = m.from_seq - 1
         ) THEN m.from_seq - 1 ELSE greatest(g.head_seq, m.from_seq - 1) END)
   WHERE m.device_id = p_device AND m.gid = p_gid AND m.until_seq IS NULL;
  IF NOT FOUND THEN
    RETURN 'not-a-member';
  END IF;
  DELETE FROM inbox WHERE device_id = p_device AND gid = p_gid;
  DELETE FROM accepted_room r USING device d WHERE d.id = p_device AND r.account_id = d.account_id AND r.room_id = g.room_id;
  IF NOT p_replica THEN
    INSERT INTO pending_removal (gid, device_id, reason) VALUES (p_gid, p_device, 'leave') ON CONFLICT DO NOTHING;
  END IF;
  RETURN 'accepted';
END $$;

-- How a device wants a group delivered, and all later groups of its room: 'all', 'muted' (readable, not pushed) or 'blocked' (neither).
-- Who reads on after a block continues where it was; where its Welcome, or the log, is gone meanwhile, it finds resync in its inbox.
-- Outcomes: accepted, unknown (also for who never had to do with the group), deleted, not-a-member.
CREATE OR REPLACE FUNCTION set_delivery(p_group_id bytea, p_device bigint, p_user bigint, p_delivery text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
BEGIN
  SELECT * INTO g FROM groups WHERE group_id = p_group_id FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END;
  ELSIF NOT EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL AND m.read_until IS NULL) THEN
    RETURN CASE WHEN is_acquainted(g.gid, p_user) THEN 'not-a-member' ELSE 'unknown' END;
  END IF;
  IF p_delivery <> 'blocked' THEN
    PERFORM accept_invitation(p_group_id, p_user) WHERE EXISTS (
      SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL AND m.delivery = 'invited'
    );
  END IF;
  IF p_delivery = 'all' THEN
    DELETE FROM room_delivery r WHERE r.device_id = p_device AND r.room_id = g.room_id;
  ELSE
    INSERT INTO room_delivery AS r (device_id, room_id, delivery) VALUES (p_device, g.room_id, p_delivery)
    ON CONFLICT (device_id, room_id) DO UPDATE SET delivery = excluded.delivery WHERE r.delivery <> excluded.delivery;
  END IF;
  -- Without its Welcome it cannot read on.
  UPDATE member m SET delivery = p_delivery, resync = m.resync OR p_delivery = 'blocked' AND m.until_seq IS NULL AND EXISTS (
           SELECT FROM inbox i WHERE i.device_id = p_device AND i.kind = 'welcome' AND i.gid = g.gid AND i.seq = m.from_seq - 1
         )
   WHERE m.device_id = p_device AND m.gid = g.gid AND m.delivery <> p_delivery;
  IF p_delivery = 'blocked' THEN
    DELETE FROM inbox WHERE device_id = p_device AND gid = g.gid;
  ELSE
    INSERT INTO inbox (device_id, kind, gid)
    SELECT p_device, 'resync', g.gid
     WHERE EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL AND m.resync)
       AND NOT EXISTS (SELECT FROM inbox i WHERE i.device_id = p_device AND i.gid = g.gid AND i.kind = 'resync');
  END IF;
  RETURN 'accepted';
END $$;

-- Whether a user has, or had, anything to do with a group: see `acquainted` in src/groups/authority/facts.ts.
CREATE OR REPLACE FUNCTION is_acquainted(p_gid bigint, p_user bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
           SELECT FROM device d CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = p_gid LIMIT 1 OFFSET 0) m WHERE d.account_id = p_user
         ) OR EXISTS (SELECT FROM group_admin a WHERE a.gid = p_gid AND a.user_id = p_user)
           OR EXISTS (SELECT FROM group_outcast o WHERE o.gid = p_gid AND o.user_id = p_user)
$$;

-- Notes that a device is to go from a group in which the server proposes no Remove in this epoch, and tells the members, once: those of this
-- provider (p_domain) find group.leaving in their inboxes, whose clients are read with it. Nothing if the device is no member. Returns who was told.
CREATE OR REPLACE FUNCTION note_removal(p_domain text, p_gid bigint, p_device bigint, p_reason text) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  at_epoch bigint;
  devices bigint[];
BEGIN
  SELECT g.epoch INTO at_epoch FROM groups g WHERE g.gid = p_gid AND g.deleted_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND OR NOT EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = p_gid AND m.until_seq IS NULL) THEN
    RETURN '{}';
  END IF;
  INSERT INTO pending_removal AS r (gid, device_id, leaf_index, reason, proposed_epoch)
  VALUES (p_gid, p_device, NULL, p_reason, at_epoch)
  ON CONFLICT (gid, device_id) DO UPDATE SET proposed_epoch = excluded.proposed_epoch,
    reason = CASE WHEN r.reason = 'revoke' THEN r.reason ELSE excluded.reason END;
  UPDATE pending_removal SET told = true WHERE gid = p_gid AND device_id = p_device AND NOT told;
  IF NOT FOUND THEN
    RETURN '{}';
  END IF;
  SELECT coalesce(array_agg(m.device_id ORDER BY m.device_id), '{}') INTO devices
    FROM member m
   WHERE m.gid = p_gid AND m.until_seq IS NULL AND m.read_until IS NULL AND m.device_id <> p_device
     AND NOT EXISTS (SELECT FROM device d WHERE d.id = m.device_id AND provider_of(d.client_uri) <> p_domain);
  -- One that waits is replaced, so that a device has one for a group at most; under a new id it is sent again.
  PERFORM 1 FROM inbox i WHERE i.gid = p_gid AND i.seq IS NULL AND i.kind = 'group.leaving' ORDER BY i.device_id, i.id FOR UPDATE;
  DELETE FROM inbox WHERE gid = p_gid AND seq IS NULL AND kind = 'group.leaving' AND device_id = ANY (devices);
  INSERT INTO inbox (device_id, kind, gid) SELECT t.id, 'group.leaving', p_gid FROM unnest(devices) AS t (id) ORDER BY t.id;
  RETURN devices;
END $$;
