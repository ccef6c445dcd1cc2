-- Rights end with membership from now on (prisma/functions/policy.sql, settle_admins), so what was left behind goes once.

-- For the groups that a user administers, when the account is disabled.
CREATE INDEX group_admin_by_user ON group_admin (user_id);

DELETE FROM group_admin x
 WHERE EXISTS (SELECT FROM account a WHERE a.id = x.user_id AND a.disabled_at IS NOT NULL)
    OR EXISTS (SELECT FROM group_ban b WHERE b.gid = x.gid AND b.user_id = x.user_id)
    OR EXISTS (SELECT FROM member m JOIN device d ON d.id = m.device_id WHERE m.gid = x.gid AND d.account_id = x.user_id)
       AND NOT EXISTS (
         SELECT FROM member m JOIN device d ON d.id = m.device_id WHERE m.gid = x.gid AND d.account_id = x.user_id AND m.until_seq IS NULL
       );

INSERT INTO group_admin (gid, user_id)
SELECT DISTINCT ON (p.gid) p.gid, d.account_id
  FROM group_policy p
  JOIN member m ON m.gid = p.gid AND m.until_seq IS NULL
  JOIN device d ON d.id = m.device_id AND d.revoked_at IS NULL
  JOIN account a ON a.id = d.account_id AND a.disabled_at IS NULL
 WHERE NOT EXISTS (SELECT FROM group_admin x WHERE x.gid = p.gid)
   AND NOT EXISTS (SELECT FROM pending_removal r WHERE r.gid = p.gid AND r.device_id = m.device_id)
   AND NOT EXISTS (SELECT FROM group_ban b WHERE b.gid = p.gid AND b.user_id = d.account_id)
 ORDER BY p.gid, m.from_seq, d.account_id;
