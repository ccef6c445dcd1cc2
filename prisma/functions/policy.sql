-- Rights in a group: who has them, and what admins change. Lock order: the group's row (if the caller has it), group_policy, account.
-- Each function locks the policy's row first and asks for the caller's right in a later statement: under READ COMMITTED a statement that
-- waited for the row would still see the admins of before.

-- Whether a user is an admin of the group now; until the transaction ends that stays so. False for a deleted group.
CREATE OR REPLACE FUNCTION authorize_admin(p_gid bigint, p_user bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM FROM group_policy p WHERE p.gid = p_gid FOR NO KEY UPDATE;
  RETURN FOUND AND EXISTS (SELECT FROM group_admin a WHERE a.gid = p_gid AND a.user_id = p_user);
END $$;

-- How a user is in a group: 'present', with a device that is a member; 'was', with one that is none any more; 'never'. "OFFSET 0": one look-up for
-- each of the user's devices.
CREATE OR REPLACE FUNCTION presence_in(p_gid bigint, p_user bigint) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN bool_or(m.until_seq IS NULL) THEN 'present' WHEN count(*) > 0 THEN 'was' ELSE 'never' END
    FROM device d CROSS JOIN LATERAL (SELECT m.until_seq FROM member m WHERE m.device_id = d.id AND m.gid = p_gid OFFSET 0) m
   WHERE d.account_id = p_user
$$;

-- Takes the rights from admins who are out, disabled or banned. One who never was in is expected, in the successor of a group. If no admin is left,
-- rights fall to the user who is present for longest, of those who have a device in that is neither leaving nor revoked.
CREATE OR REPLACE FUNCTION settle_admins(p_gid bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  settled boolean := false;
  heir record;
BEGIN
  PERFORM FROM group_policy p WHERE p.gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  DELETE FROM group_admin x USING account a
   WHERE x.gid = p_gid AND a.id = x.user_id
     AND (a.disabled_at IS NOT NULL OR presence_in(p_gid, x.user_id) = 'was'
          OR EXISTS (SELECT FROM group_ban b WHERE b.gid = p_gid AND b.user_id = x.user_id));
  settled := FOUND;
  IF NOT EXISTS (SELECT FROM group_admin x WHERE x.gid = p_gid) THEN
    FOR heir IN
      SELECT d.account_id AS user_id, min(m.from_seq) AS since
        FROM member m JOIN device d ON d.id = m.device_id
       WHERE m.gid = p_gid AND m.until_seq IS NULL AND d.revoked_at IS NULL
         AND NOT EXISTS (SELECT FROM pending_removal r WHERE r.gid = p_gid AND r.device_id = m.device_id)
         AND NOT EXISTS (SELECT FROM group_ban b WHERE b.gid = p_gid AND b.user_id = d.account_id)
       GROUP BY d.account_id ORDER BY since, d.account_id
    LOOP
      -- Whose account is being disabled just now is passed over: to wait would be against the order of locks where that is the caller.
      PERFORM FROM account a WHERE a.id = heir.user_id AND a.disabled_at IS NULL FOR SHARE SKIP LOCKED;
      IF FOUND THEN
        INSERT INTO group_admin (gid, user_id) VALUES (p_gid, heir.user_id);
        settled := true;
        EXIT;
      END IF;
    END LOOP;
  END IF;
  IF settled THEN
    UPDATE group_policy SET version = version + 1 WHERE gid = p_gid;
  END IF;
END $$;

-- Outcomes of what follows: accepted; forbidden (the caller is no admin now, or the group is gone); and what each adds. Every change raises the
-- policy's version, so that a Commit that was judged before is judged again.

-- The policy itself. Further: changed (it is of another version by now). Identities that have to be certified stay so.
DROP FUNCTION IF EXISTS change_policy(bigint, bigint, bigint, text, bytea, text, text, integer);
CREATE OR REPLACE FUNCTION change_policy(
  p_gid bigint, p_user bigint, p_version bigint, p_external_join text, p_join_code_hash bytea, p_add text, p_remove text, p_reports integer,
  p_identities text DEFAULT 'any'
) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF NOT authorize_admin(p_gid, p_user) THEN
    RETURN 'forbidden';
  END IF;
  UPDATE group_policy
     SET external_join = p_external_join, join_code_hash = p_join_code_hash, add_members = p_add, remove_members = p_remove,
         reports_to_reset = p_reports, identities = CASE identities WHEN 'certified' THEN identities ELSE p_identities END, version = version + 1
   WHERE gid = p_gid AND version = p_version;
  RETURN CASE WHEN FOUND THEN 'accepted' ELSE 'changed' END;
END $$;

-- p_admin becomes one. Further: absent (no device of the user is in the group), banned.
CREATE OR REPLACE FUNCTION make_admin(p_gid bigint, p_user bigint, p_admin bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF NOT authorize_admin(p_gid, p_user) THEN
    RETURN 'forbidden';
  ELSIF presence_in(p_gid, p_admin) <> 'present' THEN
    RETURN 'absent';
  ELSIF EXISTS (SELECT FROM group_ban b WHERE b.gid = p_gid AND b.user_id = p_admin) THEN
    RETURN 'banned';
  END IF;
  UPDATE group_policy SET version = version + 1 WHERE gid = p_gid;
  INSERT INTO group_admin (gid, user_id) VALUES (p_gid, p_admin) ON CONFLICT DO NOTHING;
  RETURN 'accepted';
END $$;

-- p_admin is none any more. Further: last-admin.
CREATE OR REPLACE FUNCTION dismiss_admin(p_gid bigint, p_user bigint, p_admin bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF NOT authorize_admin(p_gid, p_user) THEN
    RETURN 'forbidden';
  ELSIF NOT EXISTS (SELECT FROM group_admin x WHERE x.gid = p_gid AND x.user_id = p_admin) THEN
    RETURN 'accepted';
  ELSIF NOT EXISTS (SELECT FROM group_admin x WHERE x.gid = p_gid AND x.user_id <> p_admin) THEN
    RETURN 'last-admin';
  END IF;
  UPDATE group_policy SET version = version + 1 WHERE gid = p_gid;
  DELETE FROM group_admin WHERE gid = p_gid AND user_id = p_admin;
  RETURN 'accepted';
END $$;

-- p_banned is kept out, and is no admin any more: it would lift the ban. Further: last-admin.
CREATE OR REPLACE FUNCTION ban_user(p_gid bigint, p_user bigint, p_banned bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  dismissed text := dismiss_admin(p_gid, p_user, p_banned);
BEGIN
  IF dismissed <> 'accepted' THEN
    RETURN dismissed;
  END IF;
  UPDATE group_policy SET version = version + 1 WHERE gid = p_gid;
  INSERT INTO group_ban (gid, user_id) VALUES (p_gid, p_banned) ON CONFLICT DO NOTHING;
  RETURN 'accepted';
END $$;

-- The policy keeps its version: no Commit that was judged before becomes wrong by it.
CREATE OR REPLACE FUNCTION unban_user(p_gid bigint, p_user bigint, p_banned bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF NOT authorize_admin(p_gid, p_user) THEN
    RETURN 'forbidden';
  END IF;
  DELETE FROM group_ban WHERE gid = p_gid AND user_id = p_banned;
  RETURN 'accepted';
END $$;
