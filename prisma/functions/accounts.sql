-- The end of accounts (docs/adr/0032-the-end-of-an-account.md).

-- Ends all that an account can do, at once and for good: of this provider, or of another that says so (p_erasure NULL). What is kept of it goes
-- by and by (src/accounts/erasure/). No row if there is no such account, or it was deleted before.
--   p_erasure   32 random bytes, by which providers that know the user are asked to erase it too
-- Returns `devices`, all that it has or had, and `peers`, the providers that are asked: hubs of its groups, followers of its groups here, those of
-- users who asked for its consent or were asked, and of those who have its KeyPackages.
CREATE OR REPLACE FUNCTION delete_account(p_domain text, p_account bigint, p_erasure bytea)
RETURNS TABLE (devices bigint[], peers text[]) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  name text;
  own bigint[];
  told text[];
BEGIN
  UPDATE account a SET disabled_at = coalesce(a.disabled_at, now()), deleted_at = now()
   WHERE a.id = p_account AND a.deleted_at IS NULL RETURNING a.user_uri INTO name;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  own := ARRAY(SELECT d.id FROM device d WHERE d.account_id = p_account ORDER BY d.id + 0);
  UPDATE device d SET revoked_at = now(), session_generation = d.session_generation + 1 WHERE d.account_id = p_account AND d.revoked_at IS NULL;
  UPDATE signature_key k SET revoked_at = now() WHERE k.device_id = ANY (own) AND k.revoked_at IS NULL;
  DELETE FROM refresh_token t WHERE t.device_id = ANY (own);
  IF p_erasure IS NOT NULL THEN
    INSERT INTO peer_erasure (domain, erasure_id, account_id, user_uri)
    SELECT x.domain, p_erasure, p_account, name FROM (
      SELECT f.hub AS domain FROM unnest(own) AS o (id)
       CROSS JOIN LATERAL (SELECT DISTINCT m.gid FROM member m WHERE m.device_id = o.id OFFSET 0) m
       CROSS JOIN LATERAL (SELECT f.hub FROM followed_group f WHERE f.gid = m.gid OFFSET 0) f
       UNION
      SELECT c.domain FROM unnest(own) AS o (id)
       CROSS JOIN LATERAL (SELECT DISTINCT m.gid FROM member m WHERE m.device_id = o.id OFFSET 0) m
       CROSS JOIN LATERAL (SELECT c.domain FROM peer_cursor c WHERE c.gid = m.gid OFFSET 0) c
       UNION
      SELECT provider_of(c.requester) FROM consent c WHERE c.target = name
       UNION
      SELECT provider_of(c.target) FROM consent c WHERE c.requester = name
       UNION
      SELECT provider_of(k.claimer) FROM unnest(own) AS o (id)
       CROSS JOIN LATERAL (SELECT k.claimer FROM key_package_claim k WHERE k.device_id = o.id AND k.claimer IS NOT NULL OFFSET 0) k
    ) x WHERE x.domain <> p_domain AND x.domain <> '';
    SELECT array_agg(e.domain ORDER BY e.domain) INTO told FROM peer_erasure e WHERE e.account_id = p_account;
  END IF;
  RETURN QUERY SELECT own, coalesce(told, '{}');
END $$;

-- Ends the memberships of devices whose account is to be erased, in groups that no Commit can take them out of any more: those that a ReInit ended.
--   p_late   the quarantine of the name is over: also in groups that stopped by a reset that nobody has undone, and in those of hubs that do not say
--            that it is out
CREATE OR REPLACE FUNCTION end_last_memberships(p_devices bigint[], p_late boolean) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  open record;
  ended bigint := 0;
BEGIN
  FOR open IN
    SELECT g.gid, m.device_id, g.head_seq FROM unnest(p_devices) AS o (id)
     CROSS JOIN LATERAL (SELECT m.gid, m.device_id FROM member m WHERE m.device_id = o.id AND m.until_seq IS NULL OFFSET 0) m
     CROSS JOIN LATERAL (
       SELECT g.gid, g.head_seq FROM groups g
        WHERE g.gid = m.gid AND (
          g.deleted_at IS NOT NULL OR g.frozen IS NOT NULL AND g.frozen <> 'reset' AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid)
          OR p_late AND (g.frozen IS NOT NULL OR EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid))) OFFSET 0
     ) g ORDER BY g.gid, m.device_id
  LOOP
    PERFORM FROM groups g WHERE g.gid = open.gid FOR NO KEY UPDATE;
    UPDATE member m SET until_seq = greatest(open.head_seq, m.from_seq - 1), ended = 'revoked'
     WHERE m.device_id = open.device_id AND m.gid = open.gid AND m.until_seq IS NULL;
    DELETE FROM pending_removal r WHERE r.gid = open.gid AND r.device_id = open.device_id;
    ended := ended + 1;
  END LOOP;
  RETURN ended;
END $$;

-- The last step of an erasure: what names the account goes, and its row keeps p_stand_in, a keyed hash of the name. Until its devices are out of all
-- groups the names are needed to recognise their leaves.
-- Outcomes: erased; waits (a device is still in a group, or it was deleted only now: requests of that moment may still write something);
-- gone (erased before, or never deleted).
--   p_after   milliseconds since the deletion
--   p_keep    the name is of this provider, and in quarantine; of others it is kept only where a group bans it
CREATE OR REPLACE FUNCTION finish_erasure(p_account bigint, p_stand_in text, p_after bigint, p_keep boolean) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  it account;
  before bigint;
  own bigint[];
BEGIN
  SELECT * INTO it FROM account a WHERE a.id = p_account AND a.deleted_at IS NOT NULL AND a.erased_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    RETURN 'gone';
  END IF;
  own := ARRAY(SELECT d.id FROM device d WHERE d.account_id = p_account ORDER BY d.id + 0);
  IF it.deleted_at > now() - p_after * interval '1 millisecond' OR EXISTS (
    SELECT FROM unnest(own) AS o (id) CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = o.id LIMIT 1 OFFSET 0) m
  ) THEN
    RETURN 'waits';
  END IF;
  DELETE FROM signature_key k WHERE k.device_id = ANY (own);
  DELETE FROM device_certificate c WHERE c.account_id = p_account;
  DELETE FROM device_list_entry e WHERE e.account_id = p_account;
  DELETE FROM device_list l WHERE l.account_id = p_account;
  -- Of another provider's user: may have been written again since the slices went.
  DELETE FROM foreign_device_list f WHERE f.account_id = p_account;
  DELETE FROM foreign_user f WHERE f.account_id = p_account;
  DELETE FROM foreign_signature_key k WHERE k.device_id = ANY (own);
  DELETE FROM device d WHERE d.account_id = p_account;
  -- An earlier account of this name was erased as well: what stayed of it is of the name.
  SELECT a.id INTO before FROM account a WHERE a.user_uri = p_stand_in;
  IF FOUND THEN
    PERFORM inherit_name(before, p_account);
  END IF;
  UPDATE account a SET user_uri = p_stand_in, created_at = a.deleted_at, erased_at = now() WHERE a.id = p_account;
  DELETE FROM account a WHERE a.id = p_account AND NOT p_keep AND NOT EXISTS (SELECT FROM group_ban b WHERE b.user_id = p_account);
  RETURN 'erased';
END $$;

-- What stays of a name that was erased, bans and notices that peers have not confirmed, goes over to the account that has the name now.
CREATE OR REPLACE FUNCTION inherit_name(p_erased bigint, p_heir bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO group_ban (gid, user_id) SELECT b.gid, p_heir FROM group_ban b WHERE b.user_id = p_erased ORDER BY b.gid ON CONFLICT DO NOTHING;
  DELETE FROM group_ban b WHERE b.user_id = p_erased;
  UPDATE groups g SET payer = NULL WHERE g.payer = p_erased AND g.payer IS NOT NULL AND g.deleted_at IS NULL;
  DELETE FROM peer_erasure e WHERE e.account_id = p_erased AND e.receipt IS NOT NULL;
  UPDATE peer_erasure e SET account_id = p_heir WHERE e.account_id = p_erased;
  DELETE FROM account a WHERE a.id = p_erased AND a.erased_at IS NOT NULL;
END $$;
