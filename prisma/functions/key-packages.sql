-- One function per operation on KeyPackages. READ COMMITTED: each statement in a function sees what has been committed
-- before that statement, which several of them rely on.
-- Lock order: the device's row (uploads only), then devices ascending, and within one device: key_package, claim, inbox.

-- Tells a device that it runs out, unless it has such an event unacknowledged. Never waits: two claims at once would
-- each find no event, so only the holder of the lock may look; the other leaves it to that one. True if it told.
CREATE OR REPLACE FUNCTION key_packages_low(p_device bigint, p_suite integer, p_low integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  remaining integer;
BEGIN
  SELECT count(*) INTO remaining FROM (
    SELECT 1 FROM key_package k
     WHERE k.device_id = p_device AND k.cipher_suite = p_suite AND NOT k.last_resort AND k.expires_at > clock_timestamp()
     LIMIT p_low
  ) enough;
  IF remaining >= p_low OR NOT pg_try_advisory_xact_lock(hashtextextended('key-packages.low', p_device)) THEN
    RETURN false;
  END IF;
  INSERT INTO inbox (device_id, kind, payload)
  SELECT p_device, 'key-packages.low', jsonb_build_object('cipher_suite', p_suite, 'remaining', remaining)
   WHERE NOT EXISTS (SELECT 1 FROM inbox i WHERE i.device_id = p_device AND i.kind = 'key-packages.low');
  RETURN FOUND;
END $$;

-- The conditions on which a KeyPackage may go out now; plain enough that the planner inlines it.
CREATE OR REPLACE FUNCTION key_package_fits(
  k key_package, p_keys bytea[], p_extensions integer[], p_proposals integer[], p_credentials integer[]
) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT k.expires_at > clock_timestamp() AND k.signature_key = ANY (p_keys)
     AND k.extensions @> p_extensions AND k.proposals @> p_proposals AND k.credentials @> p_credentials
$$;

-- Whether a stranger of a provider may have an ordinary KeyPackage of a device: what users of that provider hold of it unused is less than
-- a share of what there was before. A Welcome to a KeyPackage ends its claim.
CREATE OR REPLACE FUNCTION leaves_enough(p_device bigint, p_suites integer[], p_provider text, p_share integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  held integer;
  remaining integer;
BEGIN
  SELECT count(*) INTO held FROM key_package_claim c
   WHERE c.device_id = p_device AND c.cipher_suite = ANY (p_suites) AND NOT c.used AND NOT c.last_resort AND provider_of(c.claimer) = p_provider;
  SELECT count(*) INTO remaining FROM key_package k
   WHERE k.device_id = p_device AND k.cipher_suite = ANY (p_suites) AND NOT k.last_resort AND k.expires_at > clock_timestamp();
  RETURN held < greatest(4, (held + remaining) / p_share);
END $$;

-- As take_key_package, for a stranger: takes only where p_spare others remain. It locks those too, so that claims at the same time cannot leave
-- fewer; strangers take turns at a device.
CREATE OR REPLACE FUNCTION take_spared_key_package(
  p_device bigint, p_keys bytea[], p_suites integer[], p_extensions integer[], p_proposals integer[], p_credentials integer[], p_spare integer
) RETURNS SETOF key_package LANGUAGE plpgsql VOLATILE SET lock_timeout = '1s' AS $$
DECLARE
  suite integer;
BEGIN
  FOREACH suite IN ARRAY p_suites LOOP
    RETURN QUERY
    WITH free AS MATERIALIZED (
      SELECT k.id FROM key_package k
       WHERE k.device_id = p_device AND k.cipher_suite = suite AND NOT k.last_resort
         AND key_package_fits(k, p_keys, p_extensions, p_proposals, p_credentials)
       ORDER BY k.id LIMIT 1 + p_spare FOR UPDATE
    )
    DELETE FROM key_package k USING (SELECT min(f.id) AS id FROM free f HAVING count(*) > p_spare) first
     WHERE k.device_id = p_device AND k.id = first.id RETURNING k.*;
    IF FOUND THEN RETURN; END IF;
  END LOOP;
EXCEPTION WHEN lock_not_available THEN
  RETURN;
END $$;

-- Takes one KeyPackage of one device out of the directory, or reads its last resort; no row if there is neither.
--   p_ordinary  false: the last resort only
--
-- Skipping locked rows spreads concurrent claimers over the rows. But a skipped row is not a spent one: its claimer may
-- yet roll back. So before the last resort goes out, the second pass waits for those rows; it comes back with one, or
-- with the knowledge that they are gone (docs/adr/0005). Only a lock held for longer than lock_timeout ends the wait.
CREATE OR REPLACE FUNCTION take_key_package(
  p_device bigint, p_keys bytea[], p_suites integer[], p_extensions integer[], p_proposals integer[], p_credentials integer[],
  p_ordinary boolean
) RETURNS SETOF key_package LANGUAGE plpgsql VOLATILE SET lock_timeout = '1s' AS $$
DECLARE
  suite integer;
BEGIN
  IF p_ordinary THEN
    FOREACH suite IN ARRAY p_suites LOOP
      RETURN QUERY
      DELETE FROM key_package WHERE (device_id, id) = (
        SELECT k.device_id, k.id FROM key_package k
         WHERE k.device_id = p_device AND k.cipher_suite = suite AND NOT k.last_resort
           AND key_package_fits(k, p_keys, p_extensions, p_proposals, p_credentials)
         ORDER BY k.id LIMIT 1 FOR UPDATE SKIP LOCKED
      ) RETURNING *;
      IF FOUND THEN RETURN; END IF;
    END LOOP;

    BEGIN
      RETURN QUERY
      DELETE FROM key_package WHERE (device_id, id) = (
        SELECT k.device_id, k.id FROM key_package k
         WHERE k.device_id = p_device AND k.cipher_suite = ANY (p_suites) AND NOT k.last_resort
           AND key_package_fits(k, p_keys, p_extensions, p_proposals, p_credentials)
         ORDER BY array_position(p_suites, k.cipher_suite), k.id LIMIT 1 FOR UPDATE
      ) RETURNING *;
      IF FOUND THEN RETURN; END IF;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
  END IF;

  RETURN QUERY
  SELECT * FROM key_package k
   WHERE k.device_id = p_device AND k.cipher_suite = ANY (p_suites) AND k.last_resort
     AND key_package_fits(k, p_keys, p_extensions, p_proposals, p_credentials)
   ORDER BY array_position(p_suites, k.cipher_suite) LIMIT 1;
END $$;

-- One KeyPackage of each device that has a suitable one. `p_suites` is in the claimer's order of preference.
-- Revoked devices and keys are looked up here and not by the caller: what is revoked when this starts is not handed out.
-- `low`: the device has a new event, so hint its inbox after COMMIT. A row without `ref` says that and nothing more.
--   p_claimer         the user who claims, of any provider
--   p_spare           what a stranger leaves of each suite for others; 0 for claimers who are known
--   p_share           a stranger's provider holds one of so many unused, at most
DROP FUNCTION IF EXISTS claim_key_packages(bigint[], integer[], integer[], integer[], integer[], integer);
DROP FUNCTION IF EXISTS claim_key_packages(bigint[], integer[], integer[], integer[], integer[], integer, text);
DROP FUNCTION IF EXISTS take_key_package(bigint, bytea[], integer[], integer[], integer[], integer[]);
CREATE OR REPLACE FUNCTION claim_key_packages(
  p_devices bigint[], p_suites integer[], p_extensions integer[], p_proposals integer[], p_credentials integer[], p_low integer,
  p_claimer text DEFAULT NULL, p_spare integer DEFAULT 0, p_share integer DEFAULT 1
) RETURNS TABLE (
  device_id bigint, cipher_suite integer, last_resort boolean, expires_at timestamptz, ref bytea, bytes bytea, low boolean
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  target record;
  taken  key_package;
BEGIN
  FOR target IN
    SELECT d.id, ARRAY(SELECT s.public_key FROM signature_key s
                        WHERE s.device_id = d.id AND s.revoked_at IS NULL AND s.valid_from <= clock_timestamp()
                          AND (s.valid_until IS NULL OR s.valid_until > clock_timestamp())) AS keys
      FROM device d JOIN account a ON a.id = d.account_id
     WHERE d.id = ANY (p_devices) AND d.revoked_at IS NULL AND a.disabled_at IS NULL ORDER BY d.id
  LOOP
    taken := NULL;
    IF p_spare > 0 THEN
      PERFORM pg_advisory_xact_lock(hashtextextended('claims of strangers', target.id));
      IF leaves_enough(target.id, p_suites, provider_of(p_claimer), p_share) THEN
        SELECT * INTO taken
          FROM take_spared_key_package(target.id, target.keys, p_suites, p_extensions, p_proposals, p_credentials, p_spare);
      END IF;
    END IF;
    IF taken.id IS NULL THEN
      SELECT * INTO taken
        FROM take_key_package(target.id, target.keys, p_suites, p_extensions, p_proposals, p_credentials, p_spare = 0);
    END IF;
    IF taken.id IS NOT NULL THEN
      IF NOT taken.last_resort THEN
        INSERT INTO key_package_claim (ref, device_id, cipher_suite, last_resort, expires_at, claimer)
        VALUES (taken.ref, taken.device_id, taken.cipher_suite, false, taken.expires_at, p_claimer);
      END IF;
      RETURN QUERY SELECT taken.device_id, taken.cipher_suite, taken.last_resort, taken.expires_at, taken.ref, taken.bytes,
                          key_packages_low(taken.device_id, taken.cipher_suite, p_low);
    ELSE
      -- Claims in flight do not see each other's deletions, so all of them may have counted one too many.
      RETURN QUERY SELECT target.id, c.cipher_suite, NULL::boolean, NULL::timestamptz, NULL::bytea, NULL::bytea, true
        FROM (SELECT DISTINCT x.cipher_suite FROM key_package_claim x
               WHERE x.device_id = target.id AND x.cipher_suite = ANY (p_suites)) c
       WHERE key_packages_low(target.id, c.cipher_suite, p_low);
    END IF;
  END LOOP;
END $$;

-- Stores what a device uploads, all or nothing. Outcomes: stored (also what was there before), revoked, too-many, role
-- (it stands here as last resort and comes as ordinary, or the other way round).
-- Capabilities come as array literals ('{1,2}'), as an array of arrays would have to be rectangular.
CREATE OR REPLACE FUNCTION store_key_packages(
  p_device bigint, p_max integer, p_low integer,
  p_suites integer[], p_last_resort boolean[], p_expires_at timestamptz[], p_refs bytea[], p_keys bytea[],
  p_extensions text[], p_proposals text[], p_credentials text[], p_bytes bytea[]
) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  -- Uploads of one device take turns, and a revocation waits for them or refuses them.
  PERFORM 1 FROM device d WHERE d.id = p_device AND d.revoked_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN 'revoked'; END IF;

  IF EXISTS (
    SELECT 1 FROM unnest(p_refs, p_last_resort) AS t (ref, last_resort)
     WHERE EXISTS (SELECT 1 FROM key_package k WHERE k.device_id = p_device AND k.ref = t.ref AND k.last_resort <> t.last_resort)
        OR EXISTS (SELECT 1 FROM key_package_claim c WHERE c.ref = t.ref AND c.last_resort <> t.last_resort)
  ) THEN RETURN 'role'; END IF;

  DELETE FROM key_package k WHERE k.device_id = p_device AND k.expires_at <= clock_timestamp();
  IF (SELECT count(*) FROM key_package k WHERE k.device_id = p_device AND NOT k.last_resort)
   + (SELECT count(*) FROM unnest(p_refs, p_last_resort) AS t (ref, last_resort)
       WHERE NOT t.last_resort
         AND NOT EXISTS (SELECT 1 FROM key_package k WHERE k.device_id = p_device AND k.ref = t.ref)
         AND NOT EXISTS (SELECT 1 FROM key_package_claim c WHERE c.ref = t.ref)) > p_max
  THEN RETURN 'too-many'; END IF;

  -- The newer last resort of a suite replaces the older.
  DELETE FROM key_package k USING unnest(p_refs, p_suites, p_last_resort) AS t (ref, cipher_suite, last_resort)
   WHERE k.device_id = p_device AND k.last_resort AND t.last_resort AND k.cipher_suite = t.cipher_suite AND k.ref <> t.ref;

  INSERT INTO key_package (device_id, cipher_suite, last_resort, expires_at, ref, signature_key, extensions, proposals, credentials, bytes)
  SELECT p_device, t.cipher_suite, t.last_resort, t.expires_at, t.ref, t.signature_key,
         t.extensions::integer[], t.proposals::integer[], t.credentials::integer[], t.bytes
    FROM unnest(p_suites, p_last_resort, p_expires_at, p_refs, p_keys, p_extensions, p_proposals, p_credentials, p_bytes)
         WITH ORDINALITY AS t (cipher_suite, last_resort, expires_at, ref, signature_key, extensions, proposals, credentials, bytes, ord)
   ORDER BY t.ord
  ON CONFLICT (device_id, ref) DO NOTHING;

  -- The insert may have waited for a claim of the same KeyPackage. Only now can that claim be seen, and no other claim has
  -- seen the row that would hand it out a second time.
  DELETE FROM key_package k USING key_package_claim c
   WHERE k.device_id = p_device AND k.ref = ANY (p_refs) AND c.ref = k.ref AND NOT c.last_resort;

  INSERT INTO key_package_claim (ref, device_id, cipher_suite, last_resort, expires_at)
  SELECT k.ref, k.device_id, k.cipher_suite, true, k.expires_at
    FROM key_package k WHERE k.device_id = p_device AND k.last_resort AND k.ref = ANY (p_refs)
  ON CONFLICT (ref) DO NOTHING;

  -- Refilled: the warning about that suite has been heeded, and the next shortage earns a new one.
  DELETE FROM inbox i WHERE i.device_id = p_device AND i.kind = 'key-packages.low'
     AND (SELECT count(*) FROM key_package k WHERE k.device_id = p_device AND NOT k.last_resort
           AND k.cipher_suite = (i.payload ->> 'cipher_suite')::integer) >= p_low;
  RETURN 'stored';
END $$;

-- Removes what has expired, and all that revoked devices left. Devices that expiry has emptied are notified, too.
-- A claim stays for a day longer than its KeyPackage: until then nobody's clock can take a repeated upload for new.
-- Skips what others hold, so that it never waits in the middle of devices in no order. By now(): what is volatile, as clock_timestamp() is,
-- leads through no index.
CREATE OR REPLACE FUNCTION purge_key_packages(p_limit integer, p_low integer) RETURNS TABLE (purged bigint, told bigint[])
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  shrunk record;
  others bigint;
BEGIN
  WITH doomed AS (
    SELECT k.device_id, k.id FROM device d CROSS JOIN LATERAL (
      SELECT x.device_id, x.id FROM key_package x WHERE x.device_id = d.id FOR UPDATE SKIP LOCKED
    ) k WHERE d.revoked_at IS NOT NULL LIMIT p_limit
  )
  DELETE FROM key_package k USING doomed d WHERE k.device_id = d.device_id AND k.id = d.id;
  GET DIAGNOSTICS purged = ROW_COUNT;

  WITH doomed AS (
    SELECT c.ref FROM key_package_claim c
     WHERE c.expires_at <= now() - interval '1 day' ORDER BY c.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  )
  DELETE FROM key_package_claim c USING doomed d WHERE c.ref = d.ref;
  GET DIAGNOSTICS others = ROW_COUNT;
  purged := purged + others;

  told := '{}';
  FOR shrunk IN
    WITH doomed AS (
      SELECT k.device_id, k.id FROM key_package k
       WHERE k.expires_at <= now() ORDER BY k.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), gone AS (
      DELETE FROM key_package k USING doomed d WHERE k.device_id = d.device_id AND k.id = d.id
      RETURNING k.device_id, k.cipher_suite
    )
    SELECT g.device_id, g.cipher_suite, count(*) AS rows FROM gone g
     GROUP BY g.device_id, g.cipher_suite ORDER BY g.device_id, g.cipher_suite
  LOOP
    purged := purged + shrunk.rows;
    IF key_packages_low(shrunk.device_id, shrunk.cipher_suite, p_low) THEN
      told := told || shrunk.device_id;
    END IF;
  END LOOP;
  RETURN NEXT;
END $$;
