-- The end of replicas that nobody here takes up (src/federation/quotas/forgotten-replicas.ts).

-- Whether a device of this provider has taken up a group in which it is: it has acknowledged an entry, or has its Welcome, or has come from outside by
-- itself. A Welcome stands in the inbox until it is acknowledged; one that ended before leaves resync. A device that was revoked takes up nothing.
-- Who has not accepted or has blocked the group counts for nothing.
CREATE OR REPLACE FUNCTION has_taken_up(m member) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF m.until_seq IS NOT NULL OR m.read_until IS NOT NULL OR m.delivery NOT IN ('all', 'muted')
     OR EXISTS (SELECT FROM device d WHERE d.id = m.device_id AND d.revoked_at IS NOT NULL) THEN
    RETURN false;
  END IF;
  RETURN m.acked >= m.from_seq OR NOT m.resync AND NOT EXISTS (
    SELECT FROM inbox i WHERE i.gid = m.gid AND i.seq = m.from_seq - 1 AND i.device_id = m.device_id AND i.kind = 'welcome'
  );
END $$;

-- Whether a replica is kept for the sake of a device of this provider that is in it or was:
--   one that has taken it up: always
--   one that may take it up: for p_kept after the last invitation
--   one that has blocked it, and may change its mind: as long, but no longer than there is something of the last p_read for it
--   one that has left, or was removed: as long as it may read something of the last p_read. Who leaves before it has its Welcome may read nothing.
CREATE OR REPLACE FUNCTION needs_replica(m member, p_invited_at timestamptz, p_kept interval, p_read interval) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
  is_in boolean := m.until_seq IS NULL AND m.read_until IS NULL;
  is_invited boolean := p_invited_at > now() - p_kept;
BEGIN
  IF has_taken_up(m) THEN
    RETURN true;
  ELSIF is_in AND (m.delivery <> 'blocked' OR NOT is_invited) THEN
    RETURN is_invited;
  END IF;
  -- Times rise with seq: the last entry that it may read is the youngest.
  RETURN coalesce((
    SELECT l.accepted_at > now() - p_read FROM log l
     WHERE l.gid = m.gid AND l.seq >= m.from_seq AND l.seq <= coalesce(least(m.until_seq, m.read_until), 9223372036854775807) ORDER BY l.seq DESC LIMIT 1
  ), false);
END $$;

-- Whether a replica that nobody has taken up may be forgotten. One whose hub has shown two histories stays until the operator has closed that
-- finding: the hub would begin it again otherwise, as if nothing had been.
CREATE OR REPLACE FUNCTION may_be_forgotten(p_gid bigint, p_kept interval, p_read interval) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
  own replica_storage;
BEGIN
  SELECT * INTO own FROM replica_storage r WHERE r.gid = p_gid AND r.stage = 0;
  IF NOT FOUND OR NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = p_gid AND f.stopped IS NULL) THEN
    RETURN false;
  END IF;
  RETURN NOT EXISTS (SELECT FROM member m WHERE m.gid = p_gid AND needs_replica(m, own.invited_at, p_kept, p_read));
END $$;

-- Forgets a replica wholly, if nobody has taken it up even now. @returns whether it is gone; false also where it is being written to: the next run looks
-- again. Nothing stays that could stand for it. That the hub may not bring devices back by what brought them in before needs nothing: what shows a
-- join counts once, and goes with the replica. What a user has chosen for the room stays (room_delivery, accepted_room), as do findings about the
-- hub (evidence).
-- Locks are taken as by those who store a batch: the id, followed_group, groups, then members and inboxes, with which an acknowledgement is
-- settled; then the room, what has shown joins, and the counters last.
CREATE OR REPLACE FUNCTION forget_replica(p_gid bigint, p_kept interval, p_read interval) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  f followed_group;
BEGIN
  SELECT * INTO f FROM followed_group x WHERE x.gid = p_gid;
  IF NOT FOUND OR NOT try_lock_group_id(coalesce(f.mls_group_id, f.group_id)) THEN
    RETURN false;
  END IF;
  PERFORM FROM followed_group x WHERE x.gid = p_gid FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM FROM groups g WHERE g.gid = p_gid AND g.deleted_at IS NULL FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM FROM member m WHERE m.gid = p_gid ORDER BY m.device_id, m.gid, m.from_seq FOR UPDATE;
  PERFORM FROM inbox i WHERE i.gid = p_gid ORDER BY i.device_id, i.id FOR UPDATE;
  -- A statement of its own: it sees what was written before the locks.
  IF NOT may_be_forgotten(p_gid, p_kept, p_read) THEN
    RETURN false;
  END IF;
  PERFORM leave_room(p_gid, f.room_id);
  PERFORM drop_replica(p_gid);
  RETURN true;
END $$;

-- The room gets the group that came before, if that is followed here, and what has shown joins by this one goes. A KeyPackage of last resort that is good
-- for more joins stays for those.
CREATE OR REPLACE FUNCTION leave_room(p_gid bigint, p_room text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  UPDATE room r SET current_gid = x.gid FROM (
    SELECT o.gid FROM followed_group o WHERE o.room_id = p_room AND o.gid IS NOT NULL AND o.gid <> p_gid ORDER BY o.deleted_at IS NOT NULL, o.gid DESC LIMIT 1
  ) x WHERE r.room_id = p_room AND r.current_gid = p_gid;
  DELETE FROM room r WHERE r.room_id = p_room AND r.current_gid = p_gid;
  PERFORM FROM handed_out_key_package h WHERE h.room_id = p_room AND h.used_gid = p_gid ORDER BY h.ref FOR UPDATE;
  DELETE FROM handed_out_key_package h WHERE h.room_id = p_room AND h.used_gid = p_gid AND h.further = 0;
  UPDATE handed_out_key_package h SET used_gid = NULL, used_seq = NULL, used_hash = NULL, further = h.further - 1
   WHERE h.room_id = p_room AND h.used_gid = p_gid;
  DELETE FROM passed_commit p WHERE p.room_id = p_room AND p.used_gid = p_gid;
END $$;

-- Every row of a replica at stage 0, of which there are not many: see peer-new-group-bytes. The tombstone lives as long as this call: by it the
-- triggers give back what was counted, and take away what they have made (count_replica_bytes, drop_sender_keys, drop_incarnations).
CREATE OR REPLACE FUNCTION drop_replica(p_gid bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  DELETE FROM identity_notice n WHERE n.gid = p_gid
     AND n.account_id IN (SELECT d.account_id FROM member m JOIN device d ON d.id = m.device_id WHERE m.gid = p_gid);
  DELETE FROM inbox WHERE gid = p_gid;
  DELETE FROM member WHERE gid = p_gid;
  DELETE FROM log WHERE gid = p_gid;
  DELETE FROM welcome WHERE gid = p_gid;
  DELETE FROM group_info WHERE gid = p_gid;
  DELETE FROM group_tree WHERE gid = p_gid;
  DELETE FROM group_snapshot WHERE gid = p_gid;
  DELETE FROM draft_member WHERE gid = p_gid;
  DELETE FROM draft_tree WHERE gid = p_gid;
  DELETE FROM commit_claim WHERE gid = p_gid;
  DELETE FROM commit_report WHERE gid = p_gid;
  DELETE FROM pending_removal WHERE gid = p_gid;
  DELETE FROM group_policy WHERE gid = p_gid;
  DELETE FROM group_admin WHERE gid = p_gid;
  DELETE FROM group_ban WHERE gid = p_gid;
  DELETE FROM group_outcast WHERE gid = p_gid;
  DELETE FROM outcast_device WHERE gid = p_gid;
  DELETE FROM peer_cursor WHERE gid = p_gid;
  DELETE FROM kept_head WHERE gid = p_gid;
  DELETE FROM vanished_entry WHERE gid = p_gid;
  DELETE FROM incarnation_begun WHERE gid = p_gid;
  DELETE FROM group_remains WHERE gid = p_gid;
  DELETE FROM followed_group WHERE gid = p_gid;
  UPDATE groups SET deleted_at = now(), bytes = 0 WHERE gid = p_gid;
  DELETE FROM groups WHERE gid = p_gid;
END $$;
