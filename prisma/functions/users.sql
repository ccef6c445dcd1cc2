-- What users here have decided about others, of any provider.

-- Which of the users of these devices have blocked a user. Most users are blocked by nobody: then that is all that is looked up.
CREATE OR REPLACE FUNCTION blockers_among(p_devices bigint[], p_user bigint) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
  name text := (SELECT a.user_uri FROM account a WHERE a.id = p_user);
BEGIN
  IF NOT EXISTS (SELECT FROM user_block b WHERE b.blocked = name) THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT DISTINCT o.user_uri FROM unnest(p_devices) AS x (device_id)
   CROSS JOIN LATERAL (SELECT a.user_uri FROM device d JOIN account a ON a.id = d.account_id WHERE d.id = x.device_id OFFSET 0) o
   WHERE EXISTS (SELECT FROM user_block b WHERE b.blocker = o.user_uri AND b.blocked = name OFFSET 0);
END $$;

-- In a replica, between the intervals that Welcomes open and those Welcomes: a user who was given KeyPackages and was blocked since may still
-- use them at a hub, which knows of no block. What it brings their devices into is blocked for them.
CREATE OR REPLACE FUNCTION withhold_replica(p_gid bigint, p_refs bytea[]) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  given record;
BEGIN
  -- One by one, as everywhere: else PostgreSQL would read all who are or were in the group.
  FOR given IN SELECT c.device_id, c.claimer FROM key_package_claim c WHERE c.ref = ANY (p_refs) ORDER BY c.device_id LOOP
    UPDATE member m SET delivery = 'blocked'
     WHERE m.device_id = given.device_id AND m.gid = p_gid AND m.until_seq IS NULL AND m.delivery = 'all' AND EXISTS (
       SELECT FROM device d JOIN account a ON a.id = d.account_id JOIN user_block b ON b.blocker = a.user_uri AND b.blocked = given.claimer
        WHERE d.id = given.device_id OFFSET 0
     );
  END LOOP;
END $$;
