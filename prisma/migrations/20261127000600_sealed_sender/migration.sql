-- Send tokens (RFC 9578) and sender keys: what lets a member post without saying who it is (§9).

-- Keys that tokens are signed with, blindly. `issues_from` to `issues_until` is the period that quotas are counted in.
CREATE TABLE issuer_key (
  id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key_id         bytea NOT NULL UNIQUE,            -- SHA-256 of token_key
  truncated_id   smallint NOT NULL,                -- its last byte: no two live keys have the same
  token_key      bytea NOT NULL,                   -- SubjectPublicKeyInfo, id-RSASSA-PSS
  sealed_private bytea NOT NULL,                   -- PKCS #8, sealed under SERVER_SECRET
  issues_from    timestamptz NOT NULL,
  issues_until   timestamptz NOT NULL,
  redeems_until  timestamptz NOT NULL
);

-- One partition for each key, which goes as a whole when the key has expired. There is no time in it, no group and no account.
-- Logged: after a crash a token that was spent is still spent.
CREATE TABLE spent_token (
  issuer_key integer NOT NULL,
  nonce      bytea NOT NULL,
  PRIMARY KEY (issuer_key, nonce)
) PARTITION BY LIST (issuer_key);

-- How many tokens of a key somebody has had signed. `holder` is a user of ours by URI, or a provider by its domain, for all its users.
-- The key may be another provider's: this server attests its users there, and counts for that.
CREATE TABLE token_quota (
  issuer    text NOT NULL,                         -- domain: what another one says of a key is no word about ours
  key_id    bytea NOT NULL,
  holder    text NOT NULL,
  issued    integer NOT NULL,
  forget_at timestamptz NOT NULL,                  -- the same for all rows of a key
  PRIMARY KEY (issuer, key_id, holder)
);
-- Requests that were counted: repeated, they cost nothing, and get the same signatures. Blinded messages are independent of tokens,
-- and their hash is all that is kept.
CREATE TABLE token_batch (
  issuer       text NOT NULL,
  key_id       bytea NOT NULL,
  holder       text NOT NULL,
  request_hash bytea NOT NULL,
  PRIMARY KEY (issuer, key_id, holder, request_hash),
  FOREIGN KEY (issuer, key_id, holder) REFERENCES token_quota ON DELETE CASCADE
);

-- Counts `p_tokens` against the quota, once for each request. False: that would be too many, and nothing is counted.
CREATE FUNCTION count_tokens_v1(
  p_issuer text, p_key bytea, p_holder text, p_request bytea, p_tokens integer, p_quota integer, p_forget_at timestamptz
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO token_quota AS q (issuer, key_id, holder, issued, forget_at) VALUES (p_issuer, p_key, p_holder, 0, p_forget_at)
  ON CONFLICT (issuer, key_id, holder) DO UPDATE SET forget_at = greatest(q.forget_at, excluded.forget_at);
  IF EXISTS (SELECT FROM token_batch b WHERE b.issuer = p_issuer AND b.key_id = p_key AND b.holder = p_holder AND b.request_hash = p_request) THEN
    RETURN true;
  END IF;
  UPDATE token_quota q SET issued = q.issued + p_tokens
   WHERE q.issuer = p_issuer AND q.key_id = p_key AND q.holder = p_holder AND q.issued + p_tokens <= p_quota;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO token_batch (issuer, key_id, holder, request_hash) VALUES (p_issuer, p_key, p_holder, p_request);
  RETURN true;
END $$;

-- The keys that members say posts of an epoch are signed with: one for each user at most. Honest members derive the same one.
CREATE TABLE sender_key (
  gid        bigint NOT NULL,
  epoch      bigint NOT NULL,
  user_id    bigint NOT NULL,
  public_key bytea NOT NULL,                       -- Ed25519, raw
  PRIMARY KEY (gid, epoch, user_id)
);

-- Outcomes: accepted (again, too), conflict (this user has published another one), not-a-member, frozen, stale, ahead, unknown, deleted.
CREATE FUNCTION publish_sender_key_v1(
  p_gid bigint, p_device bigint, p_user bigint, p_epoch bigint, p_key bytea, p_max_past bigint
) RETURNS TABLE (outcome text, current_epoch bigint, head_seq bigint, incarnation integer) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  g groups;
  since bigint;
  known bytea;
  verdict text;
BEGIN
  -- A Commit waits for us, or we for it: a key is of an epoch in which its publisher is a member.
  SELECT * INTO g FROM groups x WHERE x.gid = p_gid FOR SHARE;
  SELECT max(m.join_epoch) INTO since FROM member m WHERE m.device_id = p_device AND m.gid = p_gid AND m.until_seq IS NULL;
  verdict := CASE
    WHEN g.gid IS NULL THEN 'unknown'
    WHEN g.deleted_at IS NOT NULL THEN 'deleted'
    WHEN since IS NULL THEN 'not-a-member'
    WHEN g.frozen IS NOT NULL THEN 'frozen'
    WHEN p_epoch > g.epoch THEN 'ahead'
    WHEN p_epoch < greatest(g.post_floor, g.epoch - p_max_past, since) THEN 'stale'
    ELSE 'accepted'
  END;
  IF verdict = 'accepted' THEN
    INSERT INTO sender_key (gid, epoch, user_id, public_key) VALUES (p_gid, p_epoch, p_user, p_key) ON CONFLICT DO NOTHING;
    SELECT k.public_key INTO known FROM sender_key k WHERE k.gid = p_gid AND k.epoch = p_epoch AND k.user_id = p_user;
    IF known <> p_key THEN
      verdict := 'conflict';
    END IF;
    DELETE FROM sender_key k WHERE k.gid = p_gid AND k.epoch < g.epoch - p_max_past;
  END IF;
  RETURN QUERY SELECT verdict, g.epoch, g.head_seq, g.incarnation;
END $$;

CREATE FUNCTION forget_sender_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM sender_key WHERE gid = NEW.gid;
  RETURN NULL;
END $$;
CREATE TRIGGER deleted_groups_keep_no_sender_keys AFTER UPDATE OF deleted_at ON groups
  FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION forget_sender_keys();

-- A device that is revoked must not post any more. Where posts have no sender, that takes a Commit that removes it; from this moment
-- on, and not from the job on that proposes it, the group waits for that Commit.
CREATE FUNCTION note_revocations(p_devices bigint[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO pending_removal AS r (gid, device_id, reason)
  SELECT m.gid, m.device_id, 'revoke'
    FROM member m JOIN groups g USING (gid)
   WHERE m.device_id = ANY (p_devices) AND m.until_seq IS NULL AND g.deleted_at IS NULL AND g.frozen IS NULL
     AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = m.gid)
   ORDER BY m.gid, m.device_id
  ON CONFLICT (gid, device_id) DO UPDATE SET reason = 'revoke'
$$;
CREATE FUNCTION note_revoked_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM note_revocations(ARRAY[NEW.id]);
  RETURN NULL;
END $$;
CREATE TRIGGER revoked_devices_are_on_their_way_out AFTER UPDATE OF revoked_at ON device
  FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION note_revoked_device();
CREATE FUNCTION note_disabled_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM note_revocations(ARRAY(SELECT d.id FROM device d WHERE d.account_id = NEW.id));
  RETURN NULL;
END $$;
CREATE TRIGGER disabled_accounts_are_on_their_way_out AFTER UPDATE OF disabled_at ON account
  FOR EACH ROW WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL) EXECUTE FUNCTION note_disabled_account();

-- append_messages_v2, and messages without a sender among them. Of those p_device is NULL; p_sender_key is the key that the post is
-- signed with (which the caller has checked), p_issuer_key and p_nonce the token. A token is spent by the statement that appends
-- its message. Further outcomes: not-a-member (also: no member has published that key), commit-required, token-spent.
CREATE FUNCTION append_messages_v3(
  p_gid bigint[], p_device bigint[], p_epoch bigint[], p_length integer[], p_hashes bytea, p_blob bytea, p_max_past bigint,
  p_sender_key bytea[], p_issuer_key integer[], p_nonce bytea[]
) RETURNS TABLE (
  ord integer, outcome text, seq bigint, epoch bigint, chain bytea, current_epoch bigint, incarnation integer,
  group_id bytea, accepted_at timestamptz
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
  PERFORM 1 FROM groups WHERE gid = ANY (p_gid) ORDER BY gid FOR NO KEY UPDATE;

  RETURN QUERY
  WITH item AS (
    SELECT i.ord::integer AS ord, i.gid, i.device_id, i.epoch, i.sender_key, i.issuer_key, i.nonce,
           substring(p_hashes FROM (i.ord::integer - 1) * 32 + 1 FOR 32) AS hash,
           (sum(i.length) OVER (ORDER BY i.ord))::integer - i.length AS skip, i.length
      FROM unnest(p_gid, p_device, p_epoch, p_length, p_sender_key, p_issuer_key, p_nonce)
           WITH ORDINALITY AS i (gid, device_id, epoch, length, sender_key, issuer_key, nonce, ord)
  ), judged AS (
    SELECT i.*, g.epoch AS current_epoch, g.head_seq, g.head_chain, g.incarnation, g.group_id,
           old.seq AS old_seq, old.chain AS old_chain, old.epoch AS old_epoch, old.accepted_at AS old_accepted_at,
           CASE
             WHEN g.gid IS NULL THEN 'unknown'
             WHEN g.deleted_at IS NOT NULL THEN 'deleted'
             WHEN old.seq IS NOT NULL AND (m.ever OR i.device_id IS NULL) THEN 'duplicate'
             WHEN m.since IS NULL AND k.published IS NULL THEN 'not-a-member'
             WHEN g.frozen IS NOT NULL THEN 'frozen'
             WHEN i.epoch > g.epoch THEN 'ahead'
             WHEN i.epoch < greatest(g.post_floor, g.epoch - p_max_past, m.since) THEN 'stale'
             WHEN k.published AND EXISTS (
               -- One who is out already may still be noted, if the revocation came beside the Commit.
               SELECT FROM pending_removal r JOIN member x USING (gid, device_id) WHERE r.gid = i.gid AND x.until_seq IS NULL
             ) THEN 'commit-required'
             ELSE 'accepted'
           END AS verdict
      FROM item i
      LEFT JOIN groups g ON g.gid = i.gid
      LEFT JOIN LATERAL (
        SELECT l.seq, l.chain, l.epoch, l.accepted_at FROM log l WHERE l.gid = i.gid AND l.hash = i.hash ORDER BY l.seq + 0 LIMIT 1
      ) old ON true
      LEFT JOIN LATERAL (
        SELECT count(*) > 0 AS ever, max(x.join_epoch) FILTER (WHERE x.until_seq IS NULL) AS since
          FROM member x WHERE x.device_id = i.device_id AND x.gid = i.gid
      ) m ON i.device_id IS NOT NULL
      LEFT JOIN LATERAL (
        SELECT true AS published FROM sender_key x
         WHERE x.gid = i.gid AND x.epoch = i.epoch AND x.public_key = i.sender_key LIMIT 1
      ) k ON i.device_id IS NULL
  ), ranked AS (
    -- The same bytes twice in one batch are one message: the first that passes is it.
    SELECT j.*, row_number() OVER (PARTITION BY j.gid, j.hash, j.verdict ORDER BY j.ord) AS copy FROM judged j
  ), usable AS (
    SELECT r.*, row_number() OVER (PARTITION BY r.issuer_key, r.nonce ORDER BY r.ord) AS use
      FROM ranked r WHERE r.verdict = 'accepted' AND r.copy = 1
  ), spent AS (
    -- In the order of the nonces, so that two nodes that race for several do not wait for each other in a ring.
    INSERT INTO spent_token (issuer_key, nonce)
    SELECT u.issuer_key, u.nonce FROM usable u WHERE u.nonce IS NOT NULL AND u.use = 1 ORDER BY u.issuer_key, u.nonce
    ON CONFLICT DO NOTHING
    RETURNING issuer_key, nonce
  ), placed AS (
    -- IN, and not a join: it is hashed, where joins of such steps become loops in loops (12 ms of 20 for 32 messages).
    SELECT u.*, u.head_seq + row_number() OVER (PARTITION BY u.gid ORDER BY u.ord) AS new_seq
      FROM usable u
     WHERE u.nonce IS NULL OR u.use = 1 AND (u.issuer_key, u.nonce) IN (SELECT s.issuer_key, s.nonce FROM spent s)
  ), chained AS (
    SELECT p.*, log_chain_fold_v1(p.head_chain, p.new_seq, 'a', p.epoch, p.hash) OVER (PARTITION BY p.gid ORDER BY p.new_seq) AS new_chain
      FROM placed p
  ), written AS (
    INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
    SELECT c.gid, c.new_seq, 'a', c.epoch, date_trunc('second', clock_timestamp()), c.hash, c.new_chain,
           substring(p_blob FROM c.skip + 1 FOR c.length)
      FROM chained c ORDER BY c.gid, c.new_seq
    RETURNING gid, seq, accepted_at
  ), moved AS (
    UPDATE groups g SET head_seq = t.new_seq, head_chain = t.new_chain
      FROM (SELECT DISTINCT ON (c.gid) c.gid, c.new_seq, c.new_chain FROM chained c ORDER BY c.gid, c.new_seq DESC) t
     WHERE g.gid = t.gid
  )
  SELECT r.ord,
         CASE
           WHEN r.verdict = 'accepted' AND c.new_seq IS NULL THEN 'token-spent'
           WHEN r.verdict = 'accepted' AND r.copy > 1 THEN 'duplicate'
           ELSE r.verdict
         END,
         coalesce(c.new_seq, CASE WHEN r.verdict = 'duplicate' THEN r.old_seq END),
         CASE WHEN r.verdict = 'duplicate' THEN r.old_epoch ELSE r.epoch END,
         coalesce(c.new_chain, CASE WHEN r.verdict = 'duplicate' THEN r.old_chain END),
         r.current_epoch, r.incarnation, r.group_id,
         coalesce(w.accepted_at, CASE WHEN r.verdict = 'duplicate' THEN r.old_accepted_at END)
    FROM ranked r
    LEFT JOIN chained c ON c.gid = r.gid AND c.hash = r.hash AND r.verdict = 'accepted'
    LEFT JOIN written w ON w.gid = c.gid AND w.seq = c.new_seq
   ORDER BY r.ord;
END $$;

-- Where a message is looked for by its hash: "+ 0" keeps the planner from walking the whole group in the order of seq, which it takes
-- for cheap while the table has no statistics (measured: 32 messages into a group of 4,000 take 146 ms so, and 6 ms by the hash).
DO $$
BEGIN
  EXECUTE replace(pg_get_functiondef('append_messages_v2'::regproc), 'ORDER BY l.seq LIMIT 1', 'ORDER BY l.seq + 0 LIMIT 1');
  EXECUTE replace(pg_get_functiondef('judge_submission_v1'::regproc), 'ORDER BY l.seq LIMIT 1', 'ORDER BY l.seq + 0 LIMIT 1');
END $$;

-- Whom this server relays to.
CREATE INDEX followed_group_by_hub ON followed_group (hub);
