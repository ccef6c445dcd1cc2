-- What other providers keep in the database of this one. Locks are taken in this order: the group's row, peer_storage, peer_user_storage.

CREATE OR REPLACE FUNCTION add_peer_bytes(p_hub text, p_account bigint, p_bytes bigint, p_new_bytes bigint, p_new_groups integer)
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO peer_storage AS s (domain, bytes, new_bytes, new_groups)
  VALUES (p_hub, greatest(0, p_bytes), greatest(0, p_new_bytes), greatest(0, p_new_groups))
  ON CONFLICT (domain) DO UPDATE SET bytes = greatest(0, s.bytes + p_bytes), new_bytes = greatest(0, s.new_bytes + p_new_bytes),
    new_groups = greatest(0, s.new_groups + p_new_groups);
  IF p_account IS NOT NULL THEN
    INSERT INTO peer_user_storage AS s (domain, account_id, bytes, new_bytes, new_groups)
    VALUES (p_hub, p_account, greatest(0, p_bytes), greatest(0, p_new_bytes), greatest(0, p_new_groups))
    ON CONFLICT (domain, account_id) DO UPDATE SET bytes = greatest(0, s.bytes + p_bytes), new_bytes = greatest(0, s.new_bytes + p_new_bytes),
      new_groups = greatest(0, s.new_groups + p_new_groups);
  END IF;
END $$;

-- Whatever stores or deletes bytes of a group changes groups.bytes, in the lock of its row. Replicas have no payer, so that groups at home here
-- come by here only if theirs was erased.
CREATE OR REPLACE FUNCTION count_replica_bytes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  own replica_storage;
  more bigint := NEW.bytes - OLD.bytes;
BEGIN
  SELECT * INTO own FROM replica_storage r WHERE r.gid = NEW.gid;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  PERFORM add_peer_bytes(own.hub, own.account_id, more, CASE WHEN own.stage = 0 THEN more ELSE 0 END,
    CASE WHEN own.stage = 0 AND NEW.deleted_at IS NOT NULL THEN -1 ELSE 0 END);
  IF NEW.deleted_at IS NOT NULL THEN
    DELETE FROM replica_storage r WHERE r.gid = NEW.gid;
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER count_replica_bytes AFTER UPDATE OF bytes, deleted_at ON groups FOR EACH ROW
  WHEN (NEW.payer IS NULL AND (NEW.bytes <> OLD.bytes OR NEW.deleted_at IS DISTINCT FROM OLD.deleted_at)) EXECUTE FUNCTION count_replica_bytes();

-- How far the members here have taken a replica up, as far as the database knows: 0 not at all; 1 one has (has_taken_up, in replicas.sql);
-- 2 one has acknowledged half of what came since it joined.
CREATE OR REPLACE FUNCTION seen_stage(p_gid bigint) RETURNS smallint LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN coalesce((
    SELECT max(CASE
             WHEN m.acked >= m.from_seq AND NOT m.resync AND (m.acked - m.from_seq + 1) * 2 >= g.head_seq - m.from_seq + 1 THEN 2
             ELSE 1
           END)
      FROM groups g JOIN member m ON m.gid = g.gid
     WHERE g.gid = p_gid AND m.until_seq IS NULL AND has_taken_up(m)
  ), 0)::smallint;
END $$;

-- Raises the stage of a replica, whose row the caller has locked. @returns whether it was lower
CREATE OR REPLACE FUNCTION raise_stage(p_gid bigint, p_stage smallint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  own replica_storage;
BEGIN
  SELECT * INTO own FROM replica_storage r WHERE r.gid = p_gid;
  IF NOT FOUND OR own.stage >= p_stage THEN
    RETURN false;
  END IF;
  UPDATE replica_storage r SET stage = p_stage WHERE r.gid = p_gid;
  IF own.stage = 0 THEN
    PERFORM add_peer_bytes(own.hub, own.account_id, 0, (SELECT -g.bytes FROM groups g WHERE g.gid = p_gid), -1);
  END IF;
  RETURN true;
END $$;

-- Whether a hub may store so much more in a replica, before anything of it is written: one hub's batches are judged and stored one after the
-- other. NULL: it may. Otherwise which limit keeps it back, by its name in docs/limits.md. The caller has locked the group's row.
--   p_device   the local device that joins by the batch; NULL: none
--   p_bytes    of what is to be stored
--   p_entries  of the log; in a new group each counts p_row bytes more, for its row
--   p_first    the batch is the joining entry alone, with its Welcomes: those may be larger than what a new group may keep
--   p_welcomed local devices that get a Welcome, once for each
--   p_most     bytes: new group, group that was taken up, group, new ones of a user, new ones of the hub, of a user, of the hub;
--              new groups of a user, and of the hub; Welcomes of the hub that wait for a user
CREATE OR REPLACE FUNCTION judge_replica_bytes(
  p_gid bigint, p_hub text, p_device bigint, p_bytes bigint, p_entries integer, p_row integer, p_first boolean, p_welcomed bigint[], p_most bigint[]
) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  of_hub peer_storage;
  of_user peer_user_storage;
  own replica_storage;
  g groups;
  is_present boolean;
  most bigint;
  held bigint;
BEGIN
  INSERT INTO peer_storage (domain) SELECT p_hub WHERE NOT EXISTS (SELECT FROM peer_storage s WHERE s.domain = p_hub) ON CONFLICT DO NOTHING;
  SELECT * INTO of_hub FROM peer_storage s WHERE s.domain = p_hub FOR NO KEY UPDATE;
  SELECT * INTO own FROM replica_storage r WHERE r.gid = p_gid;
  IF NOT FOUND THEN
    INSERT INTO replica_storage (gid, hub, account_id)
    VALUES (p_gid, p_hub, (SELECT d.account_id FROM device d WHERE d.id = p_device)) RETURNING * INTO own;
    PERFORM add_peer_bytes(own.hub, own.account_id, 0, 0, 1);
    SELECT * INTO of_hub FROM peer_storage s WHERE s.domain = p_hub;
  ELSIF p_device IS NOT NULL AND own.stage = 0 THEN
    -- This device has its time, too, to take the group up: see replicas.sql.
    UPDATE replica_storage r SET invited_at = now() WHERE r.gid = p_gid;
  END IF;
  SELECT * INTO of_user FROM peer_user_storage s WHERE s.domain = p_hub AND s.account_id = own.account_id;
  SELECT * INTO g FROM groups WHERE gid = p_gid;
  is_present := p_device IS NOT NULL OR EXISTS (SELECT FROM member m WHERE m.gid = p_gid AND m.until_seq IS NULL);

  FOR attempt IN 1 .. 2 LOOP
    most := CASE WHEN own.stage = 0 OR NOT is_present THEN p_most[1] WHEN own.stage = 1 THEN p_most[2] ELSE p_most[3] END;
    held := g.bytes + p_bytes + CASE WHEN own.stage = 0 THEN p_row * (g.head_seq - g.floor_seq + p_entries) ELSE 0 END;
    EXIT WHEN held <= most AND (own.stage > 0 OR of_user.new_bytes + p_bytes <= p_most[4] AND of_hub.new_bytes + p_bytes <= p_most[5]);
    EXIT WHEN own.stage = 2 OR NOT is_present OR seen_stage(p_gid) <= own.stage;
    -- One step at a time: who has read a megabyte has not read half of 64.
    PERFORM raise_stage(p_gid, (own.stage + 1)::smallint);
    SELECT * INTO own FROM replica_storage r WHERE r.gid = p_gid;
  END LOOP;

  RETURN CASE
    WHEN held > most AND NOT (p_first AND own.stage = 0) THEN
      CASE WHEN own.stage = 0 OR NOT is_present THEN 'peer-new-group-bytes' WHEN own.stage = 1 THEN 'peer-joined-group-bytes' ELSE 'group-storage' END
    WHEN own.stage = 0 AND of_user.new_groups > p_most[8] THEN 'peer-new-groups-of-user'
    WHEN own.stage = 0 AND of_hub.new_groups > p_most[9] THEN 'peer-new-groups'
    WHEN own.stage = 0 AND of_user.new_bytes + p_bytes > p_most[4] THEN 'peer-new-bytes-of-user'
    WHEN own.stage = 0 AND of_hub.new_bytes + p_bytes > p_most[5] THEN 'peer-new-bytes'
    WHEN of_user.bytes + p_bytes > p_most[6] THEN 'peer-bytes-of-user'
    WHEN of_hub.bytes + p_bytes > p_most[7] THEN 'peer-bytes'
    WHEN too_many_welcomes(p_hub, p_welcomed, p_most[10]) THEN 'peer-welcomes-of-user'
  END;
END $$;

-- Whether a user of one of these devices would have more Welcomes of the hub waiting than p_most. A device stands there as often as it gets one.
CREATE OR REPLACE FUNCTION too_many_welcomes(p_hub text, p_devices bigint[], p_most bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM (
      SELECT d.account_id, count(*) AS coming FROM unnest(p_devices) AS x (id) JOIN device d ON d.id = x.id GROUP BY d.account_id
    ) u
     WHERE u.coming + (
       SELECT count(*) FROM (SELECT d.id FROM device d WHERE d.account_id = u.account_id OFFSET 0) d
        CROSS JOIN LATERAL (SELECT i.gid FROM inbox i WHERE i.device_id = d.id AND i.kind = 'welcome' OFFSET 0) i
        CROSS JOIN LATERAL (SELECT FROM replica_storage r WHERE r.gid = i.gid AND r.hub = p_hub OFFSET 0) r
     ) > p_most
  )
$$;

-- Counts the users and devices of each provider that are written down.
CREATE OR REPLACE FUNCTION count_foreign_users() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  provider text := (SELECT provider_of(a.user_uri) FROM account a WHERE a.id = coalesce(NEW.account_id, OLD.account_id));
  more_users integer := CASE TG_OP WHEN 'INSERT' THEN 1 WHEN 'DELETE' THEN -1 ELSE 0 END;
  more_devices integer := coalesce(NEW.devices, 0) - coalesce(OLD.devices, 0);
BEGIN
  INSERT INTO peer_storage AS s (domain, foreign_users, foreign_devices)
  VALUES (provider, greatest(0, more_users), greatest(0, more_devices))
  ON CONFLICT (domain) DO UPDATE SET foreign_users = greatest(0, s.foreign_users + more_users),
    foreign_devices = greatest(0, s.foreign_devices + more_devices);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER count_foreign_users AFTER INSERT OR DELETE OR UPDATE OF devices ON foreign_user
  FOR EACH ROW EXECUTE FUNCTION count_foreign_users();

-- Whether anything here names a device of another provider's user: a membership of now or before, a KeyPackage that a Welcome may answer, an inbox.
CREATE OR REPLACE FUNCTION foreign_device_is_tied(p_device bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM member m WHERE m.device_id = p_device)
      OR EXISTS (SELECT FROM key_package_claim c WHERE c.device_id = p_device AND c.expires_at > now())
      OR EXISTS (SELECT FROM outcast_device o WHERE o.device_id = p_device)
      OR EXISTS (SELECT FROM inbox i WHERE i.device_id = p_device)
$$;

-- The same of a user: consent, a block or a report, either way; a place in the policy of a group; a list of its devices; groups that it pays for.
CREATE OR REPLACE FUNCTION foreign_user_is_tied(p_account bigint, p_user text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM consent c WHERE c.target = p_user)
      OR EXISTS (SELECT FROM consent c WHERE c.requester = p_user)
      OR EXISTS (SELECT FROM user_block b WHERE b.blocked = p_user)
      OR EXISTS (SELECT FROM abuse_report r WHERE r.reporter = p_user)
      OR EXISTS (SELECT FROM abuse_report r WHERE r.alleged_abuser = p_user)
      OR EXISTS (SELECT FROM group_admin x WHERE x.user_id = p_account)
      OR EXISTS (SELECT FROM group_ban x WHERE x.user_id = p_account)
      OR EXISTS (SELECT FROM group_outcast x WHERE x.user_id = p_account)
      OR EXISTS (SELECT FROM foreign_device_list l WHERE l.account_id = p_account)
      OR EXISTS (SELECT FROM identity_notice n WHERE n.account_id = p_account)
      OR EXISTS (SELECT FROM groups g WHERE g.payer = p_account AND g.payer IS NOT NULL AND g.deleted_at IS NULL)
$$;

-- Deletes devices of other providers' users that nothing names any more, and users of whom nothing is left. Those of others are asked about again in
-- an hour. @returns how many users were asked about: fewer than p_limit is all
CREATE OR REPLACE FUNCTION purge_foreign_users(p_limit integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  due record;
  gone bigint[];
  asked integer := 0;
BEGIN
  FOR due IN
    SELECT f.account_id, a.user_uri FROM foreign_user f JOIN account a ON a.id = f.account_id
     WHERE f.look_at < now() AND a.deleted_at IS NULL ORDER BY f.look_at LIMIT p_limit FOR UPDATE OF f, a SKIP LOCKED
  LOOP
    asked := asked + 1;
    gone := ARRAY(SELECT d.id FROM device d WHERE d.account_id = due.account_id AND NOT foreign_device_is_tied(d.id) ORDER BY d.id);
    DELETE FROM foreign_signature_key k WHERE k.device_id = ANY (gone);
    DELETE FROM key_package_claim c WHERE c.device_id = ANY (gone);
    DELETE FROM device d WHERE d.id = ANY (gone);
    IF EXISTS (SELECT FROM device d WHERE d.account_id = due.account_id) OR foreign_user_is_tied(due.account_id, due.user_uri) THEN
      UPDATE foreign_user f SET look_at = now() + interval '1 hour', devices = (SELECT count(*) FROM device d WHERE d.account_id = f.account_id)
       WHERE f.account_id = due.account_id;
    ELSE
      DELETE FROM foreign_user f WHERE f.account_id = due.account_id;
      DELETE FROM account a WHERE a.id = due.account_id;
    END IF;
  END LOOP;
  RETURN asked;
END $$;
