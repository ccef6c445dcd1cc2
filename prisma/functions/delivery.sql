-- What a device decides for itself about a group: to leave it, to mute or to block it. Both lock the group's row first, as what appends
-- and what opens intervals does.

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
  IF NOT p_replica THEN
    INSERT INTO pending_removal (gid, device_id, reason) VALUES (p_gid, p_device, 'leave') ON CONFLICT DO NOTHING;
  END IF;
  RETURN 'accepted';
END $$;

-- How a device wants a group delivered: 'all', 'muted' (readable, not pushed) or 'blocked' (neither). It holds for later intervals, too.
-- Back at 'all', a device that fell behind, or whose Welcome was not kept, finds resync in its inbox.
-- Outcomes: accepted, unknown, deleted, not-a-member.
CREATE OR REPLACE FUNCTION set_delivery(p_group_id bytea, p_device bigint, p_delivery text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
BEGIN
  SELECT * INTO g FROM groups WHERE group_id = p_group_id FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END;
  END IF;
  IF NOT EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL AND m.read_until IS NULL) THEN
    RETURN 'not-a-member';
  END IF;
  -- Whose Welcome goes cannot read without joining again.
  UPDATE member m SET delivery = p_delivery, resync = m.resync OR p_delivery = 'blocked' AND m.until_seq IS NULL AND EXISTS (
           SELECT FROM inbox i WHERE i.device_id = p_device AND i.kind = 'welcome' AND i.gid = g.gid AND i.seq = m.from_seq - 1
         )
   WHERE m.device_id = p_device AND m.gid = g.gid AND (m.delivery <> p_delivery OR m.until_seq IS NULL);
  IF p_delivery = 'blocked' THEN
    DELETE FROM inbox WHERE device_id = p_device AND gid = g.gid;
  ELSIF p_delivery = 'all' THEN
    INSERT INTO inbox (device_id, kind, gid)
    SELECT p_device, 'resync', g.gid
     WHERE EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL AND m.resync)
       AND NOT EXISTS (SELECT FROM inbox i WHERE i.device_id = p_device AND i.gid = g.gid AND i.kind = 'resync');
  END IF;
  RETURN 'accepted';
END $$;

-- The delivery that a device has chosen for a group, for an interval that opens.
CREATE OR REPLACE FUNCTION delivery_of(p_gid bigint, p_device bigint) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT m.delivery FROM member m WHERE m.device_id = p_device AND m.gid = p_gid ORDER BY m.from_seq DESC LIMIT 1), 'all')
$$;
