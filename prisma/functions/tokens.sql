-- Send tokens and sender keys (docs/architecture.md §9).

-- Counts `p_tokens` against the quota, once for each request. `counted`; `repeated`, with the answer if it is kept; or `exceeded`: that
-- would be too many, and nothing is counted. A repeat writes nothing.
CREATE OR REPLACE FUNCTION count_tokens(
  p_issuer text, p_key bytea, p_holder text, p_request bytea, p_tokens integer, p_quota integer, p_forget_at timestamptz,
  OUT outcome text, OUT kept bytea
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF EXISTS (SELECT FROM token_batch b WHERE b.issuer = p_issuer AND b.key_id = p_key AND b.holder = p_holder AND b.request_hash = p_request) THEN
    outcome := 'repeated';
  ELSE
    INSERT INTO token_quota AS q (issuer, key_id, holder, issued, forget_at) VALUES (p_issuer, p_key, p_holder, 0, p_forget_at)
    ON CONFLICT (issuer, key_id, holder) DO UPDATE SET forget_at = greatest(q.forget_at, excluded.forget_at);
    -- The row is locked now: a transaction that counted the same request in between is visible.
    IF EXISTS (SELECT FROM token_batch b WHERE b.issuer = p_issuer AND b.key_id = p_key AND b.holder = p_holder AND b.request_hash = p_request) THEN
      outcome := 'repeated';
    ELSE
      UPDATE token_quota q SET issued = q.issued + p_tokens
       WHERE q.issuer = p_issuer AND q.key_id = p_key AND q.holder = p_holder AND q.issued + p_tokens <= p_quota;
      IF NOT FOUND THEN
        outcome := 'exceeded';
        RETURN;
      END IF;
      INSERT INTO token_batch (issuer, key_id, holder, request_hash) VALUES (p_issuer, p_key, p_holder, p_request);
      outcome := 'counted';
      RETURN;
    END IF;
  END IF;
  SELECT a.answer INTO kept FROM token_answer a
   WHERE a.issuer = p_issuer AND a.key_id = p_key AND a.holder = p_holder AND a.request_hash = p_request;
END $$;

-- Keeps the answer to a counted batch, and of the holder's the `p_keep` newest only.
CREATE OR REPLACE FUNCTION keep_token_answer(
  p_issuer text, p_key bytea, p_holder text, p_request bytea, p_answer bytea, p_keep integer
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO token_answer (issuer, key_id, holder, request_hash, answer, nth)
  SELECT p_issuer, p_key, p_holder, p_request, p_answer, coalesce(max(o.nth), 0) + 1
    FROM token_answer o WHERE o.issuer = p_issuer AND o.key_id = p_key AND o.holder = p_holder
  ON CONFLICT DO NOTHING;
  DELETE FROM token_answer a
   WHERE a.issuer = p_issuer AND a.key_id = p_key AND a.holder = p_holder
     AND a.request_hash IN (
       SELECT o.request_hash FROM token_answer o
        WHERE o.issuer = p_issuer AND o.key_id = p_key AND o.holder = p_holder ORDER BY o.nth DESC OFFSET p_keep
     );
END $$;

-- Outcomes: accepted (again, too), conflict (this user has published another one), not-a-member, frozen, stale, ahead, unknown, deleted.
CREATE OR REPLACE FUNCTION publish_sender_key(
  p_gid bigint, p_device bigint, p_user bigint, p_epoch bigint, p_key bytea, p_max_past bigint
) RETURNS TABLE (outcome text, current_epoch bigint, head_seq bigint, incarnation integer) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  g groups;
  since bigint;
  known bytea;
  verdict text;
BEGIN
  -- A Commit waits for this, or this for a Commit: a key is of an epoch in which its publisher is a member.
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
