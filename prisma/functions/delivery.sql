-- What a device decides for itself about a group.

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
