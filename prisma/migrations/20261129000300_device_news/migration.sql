-- News of devices that no other row tells cheaply, for the sweep of nodes that missed the hint (§7): a device's memberships changed, or it
-- opened a stream. Comparing memberships themselves instead (count and sum per device) takes 350 ms for 10,000 devices in 50 groups each
-- (PostgreSQL 15, 1,000,000 rows, index-only scan), on every node every two seconds; reading what changed since the last sweep takes
-- less than a millisecond, however many devices and groups there are.
--
-- Transactions do not end in the order in which they begin, so neither ids nor times are a cursor. `xid` is: what is not visible to a
-- snapshot belongs to a transaction that is not below that snapshot's xmin, from which the next sweep reads on. Rows live for minutes.
CREATE TABLE device_news (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  device_id bigint NOT NULL,
  stream_id text,                                 -- the stream that was opened; NULL: memberships changed
  xid       xid8 NOT NULL DEFAULT pg_current_xact_id(),
  at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX device_news_by_xid ON device_news (xid);

CREATE FUNCTION note_memberships_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO device_news (device_id) SELECT DISTINCT device_id FROM changed;
  RETURN NULL;
END $$;
CREATE TRIGGER memberships_begin AFTER INSERT ON member
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_memberships_v1();
CREATE TRIGGER memberships_go AFTER DELETE ON member
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_memberships_v1();

-- By column, so that acknowledgements, which are the most frequent updates by far, do not come by here.
CREATE FUNCTION note_membership_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO device_news (device_id) VALUES (NEW.device_id);
  RETURN NULL;
END $$;
CREATE TRIGGER memberships_change AFTER UPDATE OF until_seq, ended, resync ON member FOR EACH ROW
  WHEN (OLD.until_seq IS DISTINCT FROM NEW.until_seq OR OLD.resync <> NEW.resync) EXECUTE FUNCTION note_membership_v1();
