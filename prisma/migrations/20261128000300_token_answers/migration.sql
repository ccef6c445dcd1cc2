-- A counted batch that comes again is answered from here, not signed again: its answer was lost, and it costs the server a look-up.
-- Blind signatures say no more than the blinded messages do: only the client can turn them into tokens. Few are kept for each holder
-- of a key, the newest; they go with the quota, and that with the key.
CREATE TABLE token_answer (
  issuer       text NOT NULL,
  key_id       bytea NOT NULL,
  holder       text NOT NULL,
  request_hash bytea NOT NULL,
  answer       bytea NOT NULL,                     -- blind signatures, one after the other
  nth          integer NOT NULL,                   -- of the holder's; a time would tell when somebody fetched tokens
  PRIMARY KEY (issuer, key_id, holder, request_hash),
  FOREIGN KEY (issuer, key_id, holder, request_hash) REFERENCES token_batch ON DELETE CASCADE
);

-- Counts `p_tokens` against the quota, once for each request. `counted`; `repeated`, with the answer if it is kept; or `exceeded`: that
-- would be too many, and nothing is counted. A repeat writes nothing.
CREATE FUNCTION count_tokens_v2(
  p_issuer text, p_key bytea, p_holder text, p_request bytea, p_tokens integer, p_quota integer, p_forget_at timestamptz,
  OUT outcome text, OUT kept bytea
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF EXISTS (SELECT FROM token_batch b WHERE b.issuer = p_issuer AND b.key_id = p_key AND b.holder = p_holder AND b.request_hash = p_request) THEN
    outcome := 'repeated';
  ELSE
    INSERT INTO token_quota AS q (issuer, key_id, holder, issued, forget_at) VALUES (p_issuer, p_key, p_holder, 0, p_forget_at)
    ON CONFLICT (issuer, key_id, holder) DO UPDATE SET forget_at = greatest(q.forget_at, excluded.forget_at);
    -- The row is locked now: whoever counted the same request meanwhile is seen.
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
CREATE FUNCTION keep_token_answer_v1(
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
