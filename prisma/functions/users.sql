-- What users here have decided about others, of any provider.

-- Which of the users of these devices have blocked a user. Most users are blocked by nobody: then that is all that is looked up.
CREATE OR REPLACE FUNCTION blockers_among(p_devices bigint[], p_user bigint) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
  name text := (SELECT a.user_uri FROM account a WHERE a.id = p_user);
BEGIN
  IF NOT EXISTS (SELECT FROM user_block b WHERE b.blocked = name) THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT DISTINCT o.user_uri FROM unnest(p_devices) AS x (device_id)
   CROSS JOIN LATERAL (SELECT a.user_uri FROM device d JOIN account a ON a.id = d.account_id WHERE d.id = x.device_id OFFSET 0) o
   WHERE EXISTS (SELECT FROM user_block b WHERE b.blocker = o.user_uri AND b.blocked = name OFFSET 0);
END $$;

-- Whether a device that somebody put into a group waits for its user's word: a user who wants to be asked, has consented to nothing from who
-- put it there, and knows neither the room nor, by another device, the group or the one that it succeeds.
--   p_adder   the user who wants it in; NULL: nobody knows
CREATE OR REPLACE FUNCTION awaits_word(p_gid bigint, p_device bigint, p_adder text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
  owner bigint := (SELECT d.account_id FROM device d WHERE d.id = p_device);
  name text;
  g groups;
  since bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM asking_account x WHERE x.account_id = owner) THEN
    RETURN false;
  END IF;
  SELECT a.user_uri INTO name FROM account a WHERE a.id = owner;
  SELECT * INTO g FROM groups WHERE gid = p_gid;
  -- The user's devices that come with this one do not know it either.
  SELECT max(m.from_seq) INTO since FROM member m WHERE m.device_id = p_device AND m.gid = p_gid;
  RETURN p_adder IS DISTINCT FROM name
     AND NOT EXISTS (SELECT FROM consent c WHERE c.target = name AND c.requester = p_adder AND c.room IN ('', g.room_id) AND c.state = 'granted')
     AND NOT EXISTS (SELECT FROM accepted_room r WHERE r.account_id = owner AND r.room_id = g.room_id)
     AND NOT EXISTS (
       SELECT FROM device d CROSS JOIN unnest(ARRAY[p_gid, g.predecessor_gid]) AS of_room (gid) CROSS JOIN LATERAL (
         SELECT FROM member m
          WHERE m.device_id = d.id AND m.gid = of_room.gid AND m.until_seq IS NULL AND m.read_until IS NULL AND m.delivery <> 'invited'
            AND (m.gid <> p_gid OR m.from_seq < since) OFFSET 0
       ) known WHERE d.account_id = owner
     );
END $$;

-- Where intervals have just been opened: which of them wait. p_by[i] is the user who wants p_devices[i] in.
CREATE OR REPLACE FUNCTION hold_invitations(p_gid bigint, p_devices bigint[], p_by bigint[]) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  added record;
BEGIN
  FOR added IN
    SELECT x.device_id, x.by_user FROM unnest(p_devices, p_by) AS x (device_id, by_user)
     WHERE EXISTS (SELECT FROM device d JOIN asking_account a ON a.account_id = d.account_id WHERE d.id = x.device_id OFFSET 0) ORDER BY x.device_id
  LOOP
    UPDATE member m SET delivery = 'invited'
     WHERE m.device_id = added.device_id AND m.gid = p_gid AND m.until_seq IS NULL AND m.delivery = 'all'
       AND awaits_word(p_gid, added.device_id, (SELECT a.user_uri FROM account a WHERE a.id = added.by_user));
  END LOOP;
END $$;

-- Delivers a group that waits for a user's word to all of the user's devices, and every group that the room has later.
-- Outcomes: accepted (also where none waits any more), unknown (the user has no device in it).
CREATE OR REPLACE FUNCTION accept_invitation(p_group_id bytea, p_user bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
  mine bigint[];
BEGIN
  SELECT * INTO g FROM groups WHERE group_id = p_group_id AND deleted_at IS NULL FOR NO KEY UPDATE;
  mine := ARRAY(
    SELECT d.id FROM device d CROSS JOIN LATERAL (
      SELECT FROM member m WHERE m.device_id = d.id AND m.gid = g.gid AND m.until_seq IS NULL AND m.read_until IS NULL OFFSET 0
    ) m WHERE d.account_id = p_user ORDER BY d.id);
  IF cardinality(mine) = 0 THEN
    RETURN 'unknown';
  END IF;
  INSERT INTO accepted_room (account_id, room_id) VALUES (p_user, g.room_id) ON CONFLICT DO NOTHING;
  FOR i IN 1 .. cardinality(mine) LOOP
    UPDATE member m SET delivery = 'all' WHERE m.device_id = mine[i] AND m.gid = g.gid AND m.delivery = 'invited';
    IF FOUND THEN
      INSERT INTO inbox (device_id, kind, gid)
      SELECT mine[i], 'resync', g.gid
       WHERE EXISTS (SELECT FROM member m WHERE m.device_id = mine[i] AND m.gid = g.gid AND m.until_seq IS NULL AND m.resync);
    END IF;
  END LOOP;
  RETURN 'accepted';
END $$;

-- In a replica, between the intervals that Welcomes open and those Welcomes: a user who was given KeyPackages and was blocked since may still
-- use them at a hub, which knows of no block. What it brings their devices into is blocked for them. And what comes of strangers waits.
CREATE OR REPLACE FUNCTION withhold_replica(p_gid bigint, p_refs bytea[]) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  given record;
BEGIN
  -- One by one, as everywhere: else PostgreSQL would read all who are or were in the group. Who came first is judged first.
  FOR given IN
    SELECT c.device_id, c.claimer FROM key_package_claim c WHERE c.ref = ANY (p_refs)
     ORDER BY (SELECT max(m.from_seq) FROM member m WHERE m.device_id = c.device_id AND m.gid = p_gid), c.device_id
  LOOP
    UPDATE member m SET delivery = 'blocked'
     WHERE m.device_id = given.device_id AND m.gid = p_gid AND m.until_seq IS NULL AND m.delivery = 'all' AND EXISTS (
       SELECT FROM device d JOIN account a ON a.id = d.account_id JOIN user_block b ON b.blocker = a.user_uri AND b.blocked = given.claimer
        WHERE d.id = given.device_id OFFSET 0
     );
    UPDATE member m SET delivery = 'invited'
     WHERE m.device_id = given.device_id AND m.gid = p_gid AND m.until_seq IS NULL AND m.delivery = 'all'
       AND awaits_word(p_gid, given.device_id, given.claimer);
  END LOOP;
END $$;
