-- What happens with every change of a row, whichever statement makes it. When this file changes, `migrate` waits for the transactions that
-- write these tables and holds new ones up for a moment.

CREATE OR REPLACE FUNCTION drop_sender_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM sender_key WHERE gid = NEW.gid;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER drop_sender_keys_on_group_delete AFTER UPDATE OF deleted_at ON groups
  FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION drop_sender_keys();

CREATE OR REPLACE FUNCTION record_incarnation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO incarnation_start (gid, incarnation, from_seq) VALUES (NEW.gid, NEW.incarnation, NEW.chain_from_seq) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER record_incarnation AFTER UPDATE OF incarnation ON groups FOR EACH ROW
  WHEN (OLD.incarnation <> NEW.incarnation) EXECUTE FUNCTION record_incarnation();
CREATE OR REPLACE FUNCTION drop_incarnations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM incarnation_start WHERE gid = NEW.gid;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER drop_incarnations_on_group_delete AFTER UPDATE OF deleted_at ON groups FOR EACH ROW
  WHEN (NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION drop_incarnations();

-- A device that is revoked must not post any more. Where posts have no sender, that takes a Commit that removes it; from this moment
-- on, and not from the job on that proposes it, the group waits for that Commit.
CREATE OR REPLACE FUNCTION queue_removals(p_devices bigint[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO pending_removal AS r (gid, device_id, reason)
  SELECT m.gid, m.device_id, 'revoke'
    FROM member m JOIN groups g USING (gid)
   WHERE m.device_id = ANY (p_devices) AND m.until_seq IS NULL AND g.deleted_at IS NULL AND g.frozen IS NULL
     AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = m.gid)
   ORDER BY m.gid, m.device_id
  ON CONFLICT (gid, device_id) DO UPDATE SET reason = 'revoke'
$$;
CREATE OR REPLACE FUNCTION queue_removals_of_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM queue_removals(ARRAY[NEW.id]);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER queue_removals_on_device_revoke AFTER UPDATE OF revoked_at ON device
  FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION queue_removals_of_device();
CREATE OR REPLACE FUNCTION queue_removals_of_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM queue_removals(ARRAY(SELECT d.id FROM device d WHERE d.account_id = NEW.id));
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER queue_removals_on_account_disable AFTER UPDATE OF disabled_at ON account
  FOR EACH ROW WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL) EXECUTE FUNCTION queue_removals_of_account();

-- A disabled user administers nothing from that moment on; the groups' order is that of all locks.
CREATE OR REPLACE FUNCTION settle_admins_of_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  administered record;
BEGIN
  FOR administered IN SELECT x.gid FROM group_admin x WHERE x.user_id = NEW.id ORDER BY x.gid LOOP
    PERFORM settle_admins(administered.gid);
  END LOOP;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER settle_admins_on_account_disable AFTER UPDATE OF disabled_at ON account
  FOR EACH ROW WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL) EXECUTE FUNCTION settle_admins_of_account();

-- Rows of device_news (see its table).
CREATE OR REPLACE FUNCTION record_membership_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO device_news (device_id) SELECT DISTINCT device_id FROM changed;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER record_news_on_join AFTER INSERT ON member
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION record_membership_news();
CREATE OR REPLACE TRIGGER record_news_on_delete AFTER DELETE ON member
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION record_membership_news();

-- By column, so that acknowledgements, which are the most frequent updates by far, do not come by here.
CREATE OR REPLACE FUNCTION record_membership_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO device_news (device_id) VALUES (NEW.device_id);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER record_news_on_change AFTER UPDATE OF until_seq, ended, resync, read_until, delivery ON member FOR EACH ROW
  WHEN (OLD.until_seq IS DISTINCT FROM NEW.until_seq OR OLD.resync <> NEW.resync
    OR OLD.read_until IS DISTINCT FROM NEW.read_until OR OLD.delivery <> NEW.delivery) EXECUTE FUNCTION record_membership_change();

-- What a device has chosen for a room (delivery.sql, set_delivery) holds for each new interval.
CREATE OR REPLACE FUNCTION deliver_as_chosen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.delivery := coalesce((
    SELECT r.delivery FROM groups g CROSS JOIN LATERAL (
      SELECT x.delivery FROM room_delivery x WHERE x.device_id = NEW.device_id AND x.room_id = g.room_id OFFSET 0
    ) r WHERE g.gid = NEW.gid
  ), NEW.delivery);
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER deliver_as_chosen BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION deliver_as_chosen();

-- A group that a device has blocked puts nothing into its inbox, and one that its user has not accepted the Welcome alone. Without its Welcome
-- the device cannot read on.
CREATE OR REPLACE FUNCTION keep_blocked_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM member m WHERE m.device_id = NEW.device_id AND m.gid = NEW.gid AND m.until_seq IS NULL
         AND (m.delivery = 'blocked' OR m.delivery = 'invited' AND NEW.kind <> 'welcome')) THEN
    RETURN NEW;
  END IF;
  IF NEW.kind = 'welcome' THEN
    UPDATE member m SET resync = true WHERE m.device_id = NEW.device_id AND m.gid = NEW.gid AND m.from_seq = NEW.seq + 1;
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER keep_blocked_out BEFORE INSERT ON inbox FOR EACH ROW WHEN (NEW.gid IS NOT NULL) EXECUTE FUNCTION keep_blocked_out();

-- Where an account has a device list, each device that is added has a certificate in it (docs/identity.md §2). It is asked at COMMIT, also of a
-- node of the release before, which knows of no lists and would add a device that no key of the user has certified.
CREATE OR REPLACE FUNCTION require_certificate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM device_list l WHERE l.account_id = NEW.account_id)
     AND NOT EXISTS (
       SELECT FROM device_list l JOIN device_certificate c USING (account_id, identity)
        WHERE l.account_id = NEW.account_id AND c.device_id = NEW.id AND c.ended IS NULL
     ) AND EXISTS (SELECT FROM device d WHERE d.id = NEW.id AND d.revoked_at IS NULL) THEN
    RAISE EXCEPTION 'a device of an account with a device list has no certificate' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS require_certificate ON device;
CREATE CONSTRAINT TRIGGER require_certificate AFTER INSERT ON device DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION require_certificate();

-- The other devices of an account hear in their inboxes of one that is added or revoked, by anybody and any release; all but the one that
-- does it, which `holdAccount` names for the length of its transaction. Those of another provider's user have no inbox here that anybody reads.
CREATE OR REPLACE FUNCTION tell_siblings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM foreign_user f WHERE f.account_id = NEW.account_id) THEN
    RETURN NULL;
  END IF;
  INSERT INTO inbox (device_id, kind, payload)
  SELECT d.id, CASE WHEN NEW.revoked_at IS NULL THEN 'device.added' ELSE 'device.revoked' END, jsonb_build_object('client', NEW.client_uri)
    FROM device d
   WHERE d.account_id = NEW.account_id AND d.id <> NEW.id AND d.revoked_at IS NULL
     AND d.id IS DISTINCT FROM nullif(current_setting('microchat.actor', true), '')::bigint
   ORDER BY d.id;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER tell_siblings_of_new AFTER INSERT ON device FOR EACH ROW EXECUTE FUNCTION tell_siblings();
CREATE OR REPLACE TRIGGER tell_siblings_of_end AFTER UPDATE OF revoked_at ON device
  FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION tell_siblings();

-- A change of a device list that waits goes with its account.
CREATE OR REPLACE FUNCTION drop_pending_list_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM pending_list_change p WHERE p.account_id = NEW.id;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER drop_pending_list_change_on_account_disable AFTER UPDATE OF disabled_at ON account
  FOR EACH ROW WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL) EXECUTE FUNCTION drop_pending_list_change();

-- A user has another identity than before, here or at the provider whose list is kept: the members of the user's groups are to hear of it, by a job
-- (src/authentication/identity-notices/).
CREATE OR REPLACE FUNCTION note_identity_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO identity_notice (account_id, gid)
  SELECT NEW.account_id, m.gid FROM (SELECT d.id FROM device d WHERE d.account_id = NEW.account_id OFFSET 0) d
   CROSS JOIN LATERAL (SELECT m.gid FROM member m WHERE m.device_id = d.id AND m.until_seq IS NULL OFFSET 0) m
   GROUP BY m.gid ORDER BY m.gid
  ON CONFLICT (account_id, gid) DO UPDATE SET after_device = 0;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER note_identity_change AFTER UPDATE OF identity ON device_list
  FOR EACH ROW WHEN (OLD.identity <> NEW.identity) EXECUTE FUNCTION note_identity_change();
CREATE OR REPLACE TRIGGER note_identity_change AFTER UPDATE OF identity ON foreign_device_list
  FOR EACH ROW WHEN (OLD.identity <> NEW.identity) EXECUTE FUNCTION note_identity_change();
