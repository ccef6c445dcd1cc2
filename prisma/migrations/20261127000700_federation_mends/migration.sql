-- What a review of federation found: places that a restore left behind, lanes without an owner, deletions that block a peer.

-- Where the incarnations after the first began: entries after `from_seq` chain from that incarnation's initial value, up to the next
-- one's. `groups.chain_from_seq` is the last of them. Whoever follows a group across a restore gets each part under its own incarnation.
CREATE TABLE incarnation_start (
  gid         bigint  NOT NULL,
  incarnation integer NOT NULL,
  from_seq    bigint  NOT NULL,
  PRIMARY KEY (gid, incarnation)
);
INSERT INTO incarnation_start (gid, incarnation, from_seq)
SELECT gid, incarnation, chain_from_seq FROM groups WHERE incarnation > 1 AND deleted_at IS NULL;

CREATE FUNCTION note_incarnation_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO incarnation_start (gid, incarnation, from_seq) VALUES (NEW.gid, NEW.incarnation, NEW.chain_from_seq) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER note_incarnation AFTER UPDATE OF incarnation ON groups FOR EACH ROW
  WHEN (OLD.incarnation <> NEW.incarnation) EXECUTE FUNCTION note_incarnation_v1();
CREATE FUNCTION forget_incarnations_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM incarnation_start WHERE gid = NEW.gid;
  RETURN NULL;
END $$;
CREATE TRIGGER forget_incarnations AFTER UPDATE OF deleted_at ON groups FOR EACH ROW
  WHEN (NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION forget_incarnations_v1();

-- Whose run it is that holds the lane: a run that was given up for dead does not end another's.
ALTER TABLE peer ADD COLUMN lane_owner text;

-- A deletion that the peer refuses is tried again by itself, and holds nothing else up.
ALTER TABLE peer_deletion ADD COLUMN failures integer NOT NULL DEFAULT 0, ADD COLUMN retry_at timestamptz, ADD COLUMN last_error text;

-- As before, and a new member takes a group into the lane again that was stopped: the peer begins anew with the Commit that brings it.
CREATE OR REPLACE FUNCTION track_peers_v1(p_domain text, p_gid bigint, p_seq bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  UPDATE member m SET acked = 9223372036854775807
    FROM device d
   WHERE m.gid = p_gid AND m.from_seq = p_seq + 1 AND d.id = m.device_id AND provider_of(d.client_uri) <> p_domain;
  INSERT INTO peer_cursor AS c (domain, gid, from_seq, acked, incarnation)
  SELECT DISTINCT provider_of(d.client_uri), p_gid, p_seq, p_seq - 1, g.incarnation
    FROM member m JOIN device d ON d.id = m.device_id JOIN groups g ON g.gid = m.gid
   WHERE m.gid = p_gid AND m.from_seq = p_seq + 1 AND m.until_seq IS NULL AND provider_of(d.client_uri) <> p_domain
  ON CONFLICT (domain, gid) DO UPDATE
    -- Who comes back after it had gone gets nothing of what happened in between; what it had not stored before then it still gets.
    SET from_seq = CASE WHEN c.until_seq IS NULL AND c.stopped IS NULL THEN c.from_seq ELSE excluded.from_seq END,
        acked = CASE WHEN c.stopped IS NULL AND (c.until_seq IS NULL OR c.acked < c.until_seq) THEN c.acked ELSE excluded.acked END,
        until_seq = NULL, stopped = NULL;
  UPDATE peer_cursor c SET until_seq = p_seq
   WHERE c.gid = p_gid AND c.until_seq IS NULL
     AND NOT EXISTS (
       SELECT FROM member m JOIN device d ON d.id = m.device_id
        WHERE m.gid = p_gid AND m.until_seq IS NULL AND provider_of(d.client_uri) = c.domain
     );
END $$;
