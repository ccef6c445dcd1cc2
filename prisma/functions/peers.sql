-- At a hub: the providers that have members in its groups.

-- The provider in mimi://<provider>/…
CREATE OR REPLACE FUNCTION provider_of(uri text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT split_part(uri, '/', 3)
$$;

-- After members of a group have changed by the entry at p_seq: opens a cursor for each peer that has members now, and ends those of
-- peers that have none any more. A new member also takes a stopped group into the lane again: the peer begins with the Commit that brings
-- it. The position of a foreign member is its provider's; its own is set past everything, so that retention does not wait for it.
CREATE OR REPLACE FUNCTION track_peers(p_domain text, p_gid bigint, p_seq bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  UPDATE member m SET acked = 9223372036854775807
    FROM device d
   WHERE m.gid = p_gid AND m.from_seq - 1 = p_seq AND d.id = m.device_id AND provider_of(d.client_uri) <> p_domain;
  INSERT INTO peer_cursor AS c (domain, gid, from_seq, acked, incarnation)
  SELECT DISTINCT provider_of(d.client_uri), p_gid, p_seq, p_seq - 1, g.incarnation
    FROM member m JOIN device d ON d.id = m.device_id JOIN groups g ON g.gid = m.gid
   WHERE m.gid = p_gid AND m.from_seq - 1 = p_seq AND m.until_seq IS NULL AND provider_of(d.client_uri) <> p_domain
  ON CONFLICT (domain, gid) DO UPDATE
    -- A peer that comes back gets nothing of what happened in between; what it had not stored before then it still gets.
    SET from_seq = CASE WHEN c.until_seq IS NULL AND c.stopped IS NULL THEN c.from_seq ELSE excluded.from_seq END,
        acked = CASE WHEN c.stopped IS NULL AND (c.until_seq IS NULL OR c.acked < c.until_seq) THEN c.acked ELSE excluded.acked END,
        -- Another member is no reason to send at once again what the peer could not take.
        failures = CASE WHEN c.until_seq IS NULL AND c.stopped IS NULL THEN c.failures ELSE 0 END,
        retry_at = CASE WHEN c.until_seq IS NULL AND c.stopped IS NULL THEN c.retry_at END,
        last_error = CASE WHEN c.until_seq IS NULL AND c.stopped IS NULL THEN c.last_error END,
        until_seq = NULL, stopped = NULL;
  -- Only of peers that a member has just left: to ask it of every peer reads all members once for each (124,000 pages with 50 peers and 1,000 members).
  UPDATE peer_cursor c SET until_seq = p_seq
   WHERE c.gid = p_gid AND c.until_seq IS NULL
     AND c.domain IN (
       SELECT provider_of(d.client_uri) FROM member m JOIN device d ON d.id = m.device_id WHERE m.gid = p_gid AND m.until_seq = p_seq
     )
     AND NOT EXISTS (
       SELECT FROM member m JOIN device d ON d.id = m.device_id
        WHERE m.gid = p_gid AND m.until_seq IS NULL AND provider_of(d.client_uri) = c.domain
     );
END $$;

-- Counts what is kept of each provider's device lists.
CREATE OR REPLACE FUNCTION count_list_bytes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  more bigint := 0;
BEGIN
  IF TG_OP <> 'DELETE' THEN
    more := (SELECT coalesce(sum(length(e)), 0) FROM unnest(NEW.entries) AS x (e));
  END IF;
  IF TG_OP <> 'INSERT' THEN
    more := more - (SELECT coalesce(sum(length(e)), 0) FROM unnest(OLD.entries) AS x (e));
  END IF;
  UPDATE peer p SET device_list_bytes = greatest(0, p.device_list_bytes + more)
   WHERE more <> 0 AND p.domain = (SELECT provider_of(a.user_uri) FROM account a WHERE a.id = coalesce(NEW.account_id, OLD.account_id));
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER count_list_bytes AFTER INSERT OR DELETE OR UPDATE OF entries ON foreign_device_list
  FOR EACH ROW EXECUTE FUNCTION count_list_bytes();
