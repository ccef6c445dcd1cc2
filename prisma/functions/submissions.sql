-- Commits and Proposals, one function and one round trip each (docs/architecture.md §5, §12). Their first statement locks the group's row,
-- and every check is a later statement. Expected outcomes are values in `outcome`; only what nobody expects raises.
-- Why "seq + 0": see append.sql.

-- The checks that a Commit and a Proposal share, after the caller has locked the row. NULL: continue.
--   p_made_in   the incarnation that the sender names: see append.sql
DROP FUNCTION IF EXISTS judge_submission(groups, integer, bigint, bytea, bigint, boolean);
CREATE OR REPLACE FUNCTION judge_submission(
  g groups, p_incarnation integer, p_epoch bigint, p_hash bytea, p_device bigint, p_member boolean, p_made_in integer DEFAULT NULL
) RETURNS submission LANGUAGE plpgsql STABLE AS $$
DECLARE
  old record;
  verdict text;
BEGIN
  IF g.deleted_at IS NOT NULL THEN
    RETURN ('deleted', NULL, NULL, NULL, NULL)::submission;
  END IF;
  -- Invariant 5: an identical resubmission gets its acceptance again, also if stale, removed or frozen by now: for what was accepted while the
  -- device was a member. Where no membership is asked for (external Commits and proposals), the caller has the bytes because it made them or
  -- read them in the log.
  SELECT l.seq, l.kind, l.epoch, l.chain INTO old FROM log l WHERE l.gid = g.gid AND l.hash = p_hash ORDER BY l.seq + 0 LIMIT 1;
  IF FOUND AND (NOT p_member OR EXISTS (
       SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND old.seq BETWEEN m.from_seq AND coalesce(least(m.until_seq, m.read_until), old.seq)
     )) THEN
    RETURN ('duplicate', old.seq, old.epoch + CASE old.kind WHEN 'c' THEN 1 ELSE 0 END, old.chain, g.incarnation)::submission;
  END IF;
  verdict := CASE
    WHEN p_member AND NOT EXISTS (
      SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL AND m.read_until IS NULL
    ) THEN 'not-a-member'
    WHEN p_made_in <> g.incarnation AND (p_made_in > 0 OR p_epoch > g.reused_above) THEN 'incarnation'
    WHEN g.incarnation <> p_incarnation THEN 'stale'
    WHEN g.frozen IS NOT NULL THEN 'frozen'
    WHEN p_epoch < g.epoch THEN 'stale'
    WHEN p_epoch > g.epoch THEN 'ahead'
  END;
  IF verdict IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN (verdict, g.head_seq, g.epoch, NULL, g.incarnation)::submission;
END $$;

-- Whether the policy, the admins and the bans of a group are still those of this version; until the transaction ends they stay so.
CREATE OR REPLACE FUNCTION policy_is(p_gid bigint, p_version bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM FROM group_policy x WHERE x.gid = p_gid AND x.version = p_version FOR SHARE;
  RETURN FOUND;
END $$;

-- Whether the KeyPackages that Welcomes answer were not used before, but for those of last resort (RFC 9420 §10); until the transaction ends
-- nobody else uses them. In one order everywhere: a Commit that waits here for another group's finds them used.
--   p_room         KeyPackages of other providers' users have to be given for this room, and not used in it since: their provider believes no other
--                  join. NULL: not asked, as their devices show them themselves
--   p_devices[i]   whose p_refs[i] is, as it may be one that this server never passed on. NULL: each of them was found by its claim
-- A node of the release before binds what it passes on to no room: that is good for any.
DROP FUNCTION IF EXISTS key_packages_unused(bytea[]);
DROP FUNCTION IF EXISTS key_packages_unused(bytea[], text);
CREATE OR REPLACE FUNCTION key_packages_unused(p_refs bytea[], p_room text, p_devices bigint[] DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM FROM key_package_claim c WHERE c.ref = ANY (p_refs) ORDER BY c.ref FOR NO KEY UPDATE;
  RETURN NOT EXISTS (SELECT FROM key_package_claim c WHERE c.ref = ANY (p_refs) AND c.used AND NOT c.last_resort)
     AND (p_room IS NULL OR NOT EXISTS (
       SELECT FROM unnest(p_refs, p_devices) AS x (ref, device_id)
         LEFT JOIN LATERAL (SELECT k.device_id, k.last_resort OR NOT k.used AS usable FROM key_package_claim k WHERE k.ref = x.ref OFFSET 0) c ON true
        CROSS JOIN LATERAL (SELECT d.account_id FROM device d WHERE d.id = coalesce(x.device_id, c.device_id) OFFSET 0) d
        CROSS JOIN LATERAL (SELECT FROM foreign_user u WHERE u.account_id = d.account_id OFFSET 0) u
        WHERE NOT EXISTS (SELECT FROM foreign_key_package k WHERE k.ref = x.ref AND k.room_id = p_room AND NOT k.used OFFSET 0)
          AND NOT (coalesce(c.usable, false) AND NOT EXISTS (SELECT FROM foreign_key_package k WHERE k.ref = x.ref OFFSET 0))
     ));
END $$;

-- Notes that Welcomes to these KeyPackages were accepted, or a Proposal to add them, in a room here.
CREATE OR REPLACE FUNCTION use_key_packages(p_refs bytea[], p_room text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  UPDATE key_package_claim SET used = true, claimer = NULL WHERE ref = ANY (p_refs) AND NOT used;
  UPDATE foreign_key_package SET used = true WHERE ref = ANY (p_refs) AND room_id = p_room AND NOT used;
END $$;

-- Whether the right by which a device joins from outside still stands: one of p_vouchers is a member. Where the policy is same-user it needs that,
-- unless it replaces a leaf of its own.
CREATE OR REPLACE FUNCTION may_join_now(p_gid bigint, p_device bigint, p_vouchers text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN p_vouchers IS NULL AND NOT EXISTS (SELECT FROM group_policy p WHERE p.gid = p_gid AND p.external_join = 'same-user') THEN true
    WHEN p_vouchers IS NULL THEN EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = p_gid AND m.until_seq IS NULL)
    ELSE EXISTS (
      SELECT FROM unnest(p_vouchers) AS x (client)
       CROSS JOIN LATERAL (SELECT d.id FROM device d WHERE d.client_uri = x.client OFFSET 0) d
       CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = p_gid AND m.until_seq IS NULL OFFSET 0) m
    )
  END
$$;

-- Whether the certificates with which leaves come are still those of the present lists, and as they were when the Commit was judged. A node of the
-- release before names none: where the group is certified, whom it adds must at least have one.
CREATE OR REPLACE FUNCTION certificates_stand(
  p_gid bigint, p_added bigint[], p_certified bigint[], p_certificate integer[], p_ended integer[]
) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_certified IS NULL THEN
    RETURN cardinality(p_added) = 0 OR NOT EXISTS (SELECT FROM group_policy p WHERE p.gid = p_gid AND p.identities = 'certified')
        OR NOT EXISTS (
          SELECT FROM unnest(p_added) AS x (device_id)
           WHERE NOT EXISTS (SELECT FROM device_certificate c WHERE c.device_id = x.device_id AND c.ended IS NULL OFFSET 0)
        );
  END IF;
  RETURN cardinality(p_certified) = 0 OR NOT EXISTS (
    SELECT FROM unnest(p_certified, p_certificate, p_ended) AS x (device_id, number, ended)
     WHERE NOT EXISTS (
       SELECT FROM device d
         JOIN device_list l ON l.account_id = d.account_id
         JOIN device_certificate c ON c.account_id = l.account_id AND c.identity = l.identity AND c.number = x.number
        WHERE d.id = x.device_id AND c.device_id = d.id AND c.ended IS NOT DISTINCT FROM x.ended OFFSET 0
     )
  );
END $$;

CREATE OR REPLACE FUNCTION bytes_of(p_parts bytea[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(sum(octet_length(x.bytes)), 0)::bigint FROM unnest(p_parts) AS x (bytes)
$$;

-- Whether there is room for p_bytes more, or what is full. NULL: continue. Each maximum may be NULL: no limit.
-- Groups of one account may fill up at the same time: then it keeps a few Commits more than it may.
CREATE OR REPLACE FUNCTION judge_storage(g groups, p_bytes bigint, p_max_group bigint, p_max_account bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF g.bytes + p_bytes > p_max_group THEN
    RETURN 'group-full';
  ELSIF p_max_account IS NOT NULL
        AND (SELECT sum(x.bytes) FROM groups x WHERE x.payer = g.payer AND x.payer IS NOT NULL AND x.deleted_at IS NULL) + p_bytes > p_max_account THEN
    RETURN 'account-full';
  END IF;
  RETURN NULL;
END $$;

-- Deletes trees of a group that describe epochs before p_before and for which no Welcome waits any more: of those, it looks at the p_most newest.
-- Returns the bytes. The caller holds the lock of the group's row, and counts them.
CREATE OR REPLACE FUNCTION drop_old_trees(p_gid bigint, p_before bigint, p_most integer) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  gone bigint;
BEGIN
  WITH old AS (
    SELECT t.epoch FROM group_tree t WHERE t.gid = p_gid AND t.epoch < p_before ORDER BY t.epoch DESC LIMIT p_most
  ), dropped AS (
    DELETE FROM group_tree t USING old
     WHERE t.gid = p_gid AND t.epoch = old.epoch AND NOT EXISTS (
       SELECT FROM welcome w
        WHERE w.gid = p_gid AND w.epoch = old.epoch
          AND EXISTS (SELECT FROM inbox i WHERE i.gid = w.gid AND i.kind = 'welcome' AND i.seq = w.seq AND i.ordinal = w.ordinal OFFSET 0) OFFSET 0
     )
    RETURNING octet_length(t.bytes) AS bytes
  )
  SELECT coalesce(sum(d.bytes), 0) INTO gone FROM dropped d;
  RETURN gone;
END $$;

-- A Proposal for the current epoch. p_device is NULL for the server's own (external sender), which need no membership.
-- With p_pending_device, the same transaction records that the device is on its way out.
--   p_policy_version   the policy under which the Proposal was judged; NULL for the server's own
--   p_last_handshake   seq of the last Commit or Proposal that it was judged with
--   p_add_ref          KeyPackageRef of an Add: this Proposal is what spends it; p_add_device whose it is, p_add_suite, p_add_expires what it is
--   p_made_in         the incarnation that the sender names; NULL for the server's own: see append.sql
--   p_max_group, p_max_account  bytes that the group, and all groups of who created it, may keep; NULL: no limit
-- Outcomes beyond the shared ones: retry (the policy changed, or another Proposal came, since it was judged), no-consent (the user of
-- p_add_device has blocked the sender's), key-package-used, group-full, account-full.
DROP FUNCTION IF EXISTS submit_proposal(bigint, integer, bigint, boolean, bigint, bytea, bytea, bigint, integer, text);
DROP FUNCTION IF EXISTS submit_proposal(
  bigint, integer, bigint, boolean, bigint, bytea, bytea, bigint, integer, text, bigint, bigint, bytea, bigint, integer, timestamptz
);
CREATE OR REPLACE FUNCTION submit_proposal(
  p_gid bigint, p_incarnation integer, p_device bigint, p_member boolean, p_epoch bigint, p_hash bytea, p_bytes bytea,
  p_pending_device bigint, p_pending_leaf integer, p_pending_reason text,
  p_policy_version bigint DEFAULT NULL, p_last_handshake bigint DEFAULT NULL,
  p_add_ref bytea DEFAULT NULL, p_add_device bigint DEFAULT NULL, p_add_suite integer DEFAULT NULL, p_add_expires timestamptz DEFAULT NULL,
  p_made_in integer DEFAULT NULL,
  p_max_group bigint DEFAULT NULL, p_max_account bigint DEFAULT NULL
) RETURNS submission LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
  judged submission;
  excess text;
  next_chain bytea;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN ('unknown', NULL, NULL, NULL, NULL)::submission;
  END IF;
  judged := judge_submission(g, p_incarnation, p_epoch, p_hash, p_device, p_member, p_made_in);
  -- A signature may be deterministic: the Remove for a revocation can be the bytes that stand there for a leave.
  IF p_pending_device IS NOT NULL AND (judged.outcome IS NULL OR judged.outcome = 'duplicate' AND p_epoch = g.epoch) THEN
    INSERT INTO pending_removal AS r (gid, device_id, leaf_index, reason, proposed_epoch)
    VALUES (p_gid, p_pending_device, p_pending_leaf, p_pending_reason, p_epoch)
    ON CONFLICT (gid, device_id) DO UPDATE
      SET leaf_index = coalesce(excluded.leaf_index, r.leaf_index), proposed_epoch = excluded.proposed_epoch,
          reason = CASE WHEN r.reason = 'revoke' THEN r.reason ELSE excluded.reason END;
  END IF;
  IF judged.outcome IS NOT NULL THEN
    RETURN judged;
  END IF;
  IF p_policy_version IS NOT NULL AND NOT policy_is(p_gid, p_policy_version)
     OR EXISTS (SELECT FROM log l WHERE l.gid = p_gid AND l.kind IN ('c', 'p') AND l.seq > p_last_handshake) THEN
    RETURN ('retry', g.head_seq, g.epoch, NULL, g.incarnation)::submission;
  END IF;
  excess := judge_storage(g, octet_length(p_bytes), p_max_group, p_max_account);
  IF excess IS NOT NULL THEN
    RETURN (excess, g.head_seq, g.epoch, NULL, g.incarnation)::submission;
  END IF;
  IF p_member AND p_add_device IS NOT NULL
     AND EXISTS (SELECT FROM blockers_among(ARRAY[p_add_device], (SELECT d.account_id FROM device d WHERE d.id = p_device))) THEN
    RETURN ('no-consent', g.head_seq, g.epoch, NULL, g.incarnation)::submission;
  END IF;
  IF p_add_ref IS NOT NULL THEN
    IF NOT key_packages_unused(ARRAY[p_add_ref], CASE WHEN p_member THEN g.room_id END, ARRAY[p_add_device]) THEN
      RETURN ('key-package-used', g.head_seq, g.epoch, NULL, g.incarnation)::submission;
    END IF;
    -- One that was not claimed has no row yet. Welcomes of a private group find their device by it.
    INSERT INTO key_package_claim AS c (ref, device_id, cipher_suite, last_resort, expires_at, used)
    VALUES (p_add_ref, p_add_device, p_add_suite, false, p_add_expires, true)
    ON CONFLICT (ref) DO NOTHING;
    PERFORM use_key_packages(ARRAY[p_add_ref], g.room_id);
  END IF;
  next_chain := log_chain(g.head_chain, g.head_seq + 1, 'p', p_epoch, p_hash);
  INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
  VALUES (p_gid, g.head_seq + 1, 'p', p_epoch, clock_timestamp(), p_hash, next_chain, p_bytes);
  UPDATE groups SET head_seq = g.head_seq + 1, head_chain = next_chain, bytes = bytes + octet_length(p_bytes) WHERE gid = p_gid;
  RETURN ('accepted', g.head_seq + 1, g.epoch, next_chain, g.incarnation)::submission;
END $$;

-- Everything that one Commit changes, in one transaction (invariant 2).
--   p_domain          this provider's: members of other domains are reached through their providers
--   p_refs            KeyPackageRefs that the Welcomes answer: nobody is given those again
--   p_fresh_refs      those of them, and of its Adds, that this Commit spends: not the ones that a Proposal has spent before
--   p_fresh_devices[i]  whose p_fresh_refs[i] is, where its Add says it. NULL: each was found by its claim
--   p_external        the committer joins by this Commit (or resyncs its own leaf): no membership is asked for
--   p_added[i]        a device that joins; p_added_welcome[i] the ordinal (from 1) of the Welcome that is for it
--   p_added_by[i]     the user who wants it in: the committer, who proposed it, or its own; NULL: the committer, for all
--   p_removed[i]      a device that is out after this Commit, p_removed_reason[i] why (member.ended)
--   p_followup[i]     the regenerated Remove proposal, for the new epoch, of the pending p_followup_device[i]
--   p_unsigned        pending devices whose Remove the server cannot sign for the new epoch: their leaf is unknown again
--   p_policy_version  the policy under which the Commit was judged
--   p_made_in         the incarnation that the sender names: see append.sql
--   p_max_group, p_max_account  bytes that the group, and all groups of who created it, may keep; NULL: no limit
--   p_trees           how many of the newest trees are kept, and besides those for which a Welcome waits
--   p_announced       the group id that its ReInit announces: from here on nobody else may take it
--   p_grace           with a ReInit: seconds for which the place of the group is reserved for its admins
--   p_vouchers        client URIs of which one has to be a member: the devices by whose certificates a joiner has its right; NULL: it has another one
--   p_certified[i]    a device here that comes in or changes its leaf with certificate p_certificate[i] of its user's list, which entry p_ended[i] had
--                     ended when it was judged (NULL: active). NULL: of a node that knows of no certificates
-- Outcomes beyond the shared ones: retry (policy, pending removals, certificates or the joiner's right changed since it was judged), banned, key-package-used, group-full, account-full,
-- no-consent (the committer adds devices of users who have blocked it), id-taken (a group has the announced id, or another ReInit has announced it).
DROP FUNCTION IF EXISTS submit_commit(
  text, bytea[], bigint, integer, bigint, bigint, boolean, bigint, bigint, bytea, bytea, bigint[], integer[], bigint[], text[], bytea[], timestamptz[],
  bytea, bytea, text[], boolean, bytea[], bytea[], bigint[], bigint[]
);
DROP FUNCTION IF EXISTS submit_commit(
  text, bytea[], bigint, integer, bigint, bigint, boolean, bigint, bigint, bytea, bytea, bigint[], integer[], bigint[], text[], bytea[], timestamptz[],
  bytea, bytea, text[], boolean, bytea[], bytea[], bigint[], bigint[], bytea[]
);
DROP FUNCTION IF EXISTS submit_commit(
  text, bytea[], bigint, integer, bigint, bigint, boolean, bigint, bigint, bytea, bytea, bigint[], integer[], bigint[], text[], bytea[], timestamptz[],
  bytea, bytea, text[], boolean, bytea[], bytea[], bigint[], bigint[], bytea[], integer, bigint, bigint, integer
);
DROP FUNCTION IF EXISTS submit_commit(
  text, bytea[], bigint, integer, bigint, bigint, boolean, bigint, bigint, bytea, bytea, bigint[], integer[], bigint[], text[], bytea[], timestamptz[],
  bytea, bytea, text[], boolean, bytea[], bytea[], bigint[], bigint[], bytea[], integer, bigint, bigint, integer, bytea, integer
);
DROP FUNCTION IF EXISTS submit_commit(
  text, bytea[], bigint, integer, bigint, bigint, boolean, bigint, bigint, bytea, bytea, bigint[], integer[], bigint[], text[], bytea[], timestamptz[],
  bytea, bytea, text[], boolean, bytea[], bytea[], bigint[], bigint[], bytea[], integer, bigint, bigint, integer, bytea, integer, bigint[]
);
DROP FUNCTION IF EXISTS submit_commit(
  text, bytea[], bigint, integer, bigint, bigint, boolean, bigint, bigint, bytea, bytea, bigint[], integer[], bigint[], text[], bytea[], timestamptz[],
  bytea, bytea, text[], boolean, bytea[], bytea[], bigint[], bigint[], bytea[], integer, bigint, bigint, integer, bytea, integer, bigint[],
  text[], bigint[], integer[], integer[]
);
CREATE OR REPLACE FUNCTION submit_commit(
  p_domain text, p_refs bytea[], p_gid bigint, p_incarnation integer, p_device bigint, p_user bigint, p_external boolean, p_policy_version bigint,
  p_epoch bigint, p_hash bytea, p_bytes bytea,
  p_added bigint[], p_added_welcome integer[], p_removed bigint[], p_removed_reason text[],
  p_welcome bytea[], p_welcome_expires timestamptz[], p_group_info bytea, p_tree bytea,
  p_claimed_removed text[], p_reinit boolean,
  p_followup bytea[], p_followup_hash bytea[], p_followup_device bigint[], p_unsigned bigint[], p_fresh_refs bytea[] DEFAULT '{}',
  p_made_in integer DEFAULT NULL,
  p_max_group bigint DEFAULT NULL, p_max_account bigint DEFAULT NULL, p_trees integer DEFAULT 4,
  p_announced bytea DEFAULT NULL, p_grace integer DEFAULT 0, p_added_by bigint[] DEFAULT NULL,
  p_vouchers text[] DEFAULT NULL, p_certified bigint[] DEFAULT NULL, p_certificate integer[] DEFAULT NULL, p_ended integer[] DEFAULT NULL,
  p_fresh_devices bigint[] DEFAULT NULL
) RETURNS submission LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  g groups;
  judged submission;
  commit_seq bigint;
  next_epoch bigint := p_epoch + 1;
  head bigint;
  chain_at bytea;
  commit_chain bytea;
  new_bytes bigint := octet_length(p_bytes) + bytes_of(p_followup) + bytes_of(p_welcome)
                      + coalesce(octet_length(p_group_info), 0) + coalesce(octet_length(p_tree), 0);
  excess text;
  leaver record;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN ('unknown', NULL, NULL, NULL, NULL)::submission;
  END IF;
  judged := judge_submission(g, p_incarnation, p_epoch, p_hash, p_device, NOT p_external, p_made_in);
  IF judged.outcome IS NOT NULL THEN
    RETURN judged;
  END IF;
  IF p_external AND EXISTS (SELECT FROM group_ban b WHERE b.gid = p_gid AND b.user_id = p_user) THEN
    RETURN ('banned', g.head_seq, g.epoch, NULL, g.incarnation)::submission;
  END IF;
  IF NOT policy_is(p_gid, p_policy_version)
     OR EXISTS (
       SELECT FROM pending_removal r
        WHERE r.gid = p_gid AND r.leaf_index IS NOT NULL AND r.device_id <> ALL (p_removed || p_followup_device || p_unsigned)
     )
     OR p_external AND NOT may_join_now(p_gid, p_device, p_vouchers)
     OR NOT certificates_stand(p_gid, p_added, p_certified, p_certificate, p_ended) THEN
    RETURN ('retry', g.head_seq, g.epoch, NULL, g.incarnation)::submission;
  END IF;
  -- Who proposed others was judged then.
  IF NOT p_external AND cardinality(p_added) > 0 AND EXISTS (
    SELECT FROM blockers_among(ARRAY(SELECT x.device_id FROM unnest(p_added, p_added_by) AS x (device_id, by_user) WHERE coalesce(x.by_user, p_user) = p_user), p_user)
  ) THEN
    RETURN ('no-consent', g.head_seq, g.epoch, NULL, g.incarnation)::submission;
  END IF;
  IF cardinality(p_fresh_refs) > 0 AND NOT key_packages_unused(p_fresh_refs, g.room_id, p_fresh_devices) THEN
    RETURN ('key-package-used', g.head_seq, g.epoch, NULL, g.incarnation)::submission;
  END IF;
  excess := judge_storage(g, new_bytes, p_max_group, p_max_account);
  IF excess IS NOT NULL THEN
    RETURN (excess, g.head_seq, g.epoch, NULL, g.incarnation)::submission;
  END IF;
  IF p_announced IS NOT NULL THEN
    PERFORM lock_group_id(p_announced);
    IF group_id_taken(p_announced) THEN
      RETURN ('id-taken', g.head_seq, g.epoch, NULL, g.incarnation)::submission;
    END IF;
  END IF;
  IF p_tree IS NOT NULL THEN
    new_bytes := new_bytes - drop_old_trees(p_gid, next_epoch - p_trees + 1, 8);
  END IF;

  commit_seq := g.head_seq + 1;
  commit_chain := log_chain(g.head_chain, commit_seq, 'c', p_epoch, p_hash);
  INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
  VALUES (p_gid, commit_seq, 'c', p_epoch, clock_timestamp(), p_hash, commit_chain, p_bytes);
  head := commit_seq;
  chain_at := commit_chain;
  FOR i IN 1 .. cardinality(p_followup) LOOP
    head := head + 1;
    chain_at := log_chain(chain_at, head, 'p', next_epoch, p_followup_hash[i]);
    INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
    VALUES (p_gid, head, 'p', next_epoch, clock_timestamp(), p_followup_hash[i], chain_at, p_followup[i]);
  END LOOP;
  UPDATE groups
     SET epoch = next_epoch, head_seq = head, head_chain = chain_at, bytes = bytes + new_bytes,
         post_floor = CASE WHEN cardinality(p_removed) > 0 THEN next_epoch ELSE post_floor END,
         frozen = CASE WHEN p_reinit THEN 'reinit' ELSE frozen END,
         frozen_at = CASE WHEN p_reinit THEN now() ELSE frozen_at END,
         frozen_by = CASE WHEN p_reinit THEN p_user ELSE frozen_by END,
         reserved_until = CASE WHEN p_reinit THEN now() + make_interval(secs => p_grace) ELSE reserved_until END,
         announced_group_id = CASE WHEN p_reinit THEN p_announced ELSE announced_group_id END
   WHERE gid = p_gid;

  -- In the order in which a flush of acknowledgements locks the same rows. One by one: as one statement PostgreSQL, which takes a group to be
  -- small, would read everybody who is or was in it. Only where the server cannot see the tree may a device be added that still is a member:
  -- its new leaf is another interval.
  FOR leaver IN
    SELECT x.device_id, x.reason FROM (
      SELECT r.device_id, r.reason, 1 AS turn FROM unnest(p_removed, p_removed_reason) AS r (device_id, reason)
       UNION ALL
      SELECT a.device_id, 'resync', 2 FROM unnest(p_added) AS a (device_id)
    ) x ORDER BY x.device_id, x.turn
  LOOP
    UPDATE member m SET until_seq = commit_seq, ended = leaver.reason
     WHERE m.device_id = leaver.device_id AND m.gid = p_gid AND m.until_seq IS NULL;
  END LOOP;
  -- A device that others add again while it leaves reads nothing of it.
  INSERT INTO member (device_id, gid, from_seq, join_epoch, acked, read_until)
  SELECT x.device_id, p_gid, commit_seq + 1, next_epoch, commit_seq, CASE WHEN NOT p_external AND EXISTS (
           SELECT FROM pending_removal r WHERE r.gid = p_gid AND r.device_id = x.device_id AND r.reason = 'leave' AND r.device_id <> ALL (p_removed) OFFSET 0
         ) THEN commit_seq END
    FROM (SELECT DISTINCT a.device_id FROM unnest(p_added) AS a (device_id)) x ORDER BY x.device_id;
  IF NOT p_external AND cardinality(p_added) > 0 THEN
    PERFORM hold_invitations(p_gid, p_added, coalesce(p_added_by, array_fill(p_user, ARRAY[cardinality(p_added)])));
  END IF;

  INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at)
  SELECT p_gid, commit_seq, w.ord, next_epoch, w.bytes, w.expires_at
    FROM unnest(p_welcome, p_welcome_expires) WITH ORDINALITY AS w (bytes, expires_at, ord);
  INSERT INTO inbox (device_id, kind, gid, seq, ordinal)
  SELECT x.device_id, 'welcome', p_gid, commit_seq, x.ordinal
    FROM unnest(p_added, p_added_welcome) AS x (device_id, ordinal)
   WHERE x.ordinal IS NOT NULL AND EXISTS (
     SELECT FROM member m WHERE m.device_id = x.device_id AND m.gid = p_gid AND m.from_seq = commit_seq + 1 AND m.read_until IS NULL OFFSET 0
   ) ORDER BY x.device_id;

  IF p_group_info IS NOT NULL THEN
    INSERT INTO group_info (gid, epoch, bytes) VALUES (p_gid, next_epoch, p_group_info);
  END IF;
  IF p_tree IS NOT NULL THEN
    INSERT INTO group_tree (gid, epoch, bytes) VALUES (p_gid, next_epoch, p_tree);
  END IF;
  IF p_claimed_removed IS NOT NULL OR p_reinit THEN
    INSERT INTO commit_claim (gid, seq, removed_clients, reinit)
    VALUES (p_gid, commit_seq, coalesce(p_claimed_removed, '{}'), p_reinit);
  END IF;
  -- Who throws out the last admin would else leave the group to nobody, and who comes back would have its rights again.
  IF EXISTS (SELECT FROM group_admin x JOIN device d ON d.account_id = x.user_id WHERE x.gid = p_gid AND d.id = ANY (p_removed))
     OR NOT EXISTS (SELECT FROM group_admin x WHERE x.gid = p_gid) THEN
    PERFORM settle_admins(p_gid);
  END IF;
  -- A device that others add again still wants to leave; one that joins by itself does not.
  DELETE FROM pending_removal WHERE gid = p_gid AND (device_id = ANY (p_removed) OR p_external AND device_id = ANY (p_added));
  UPDATE pending_removal SET proposed_epoch = next_epoch WHERE gid = p_gid AND device_id = ANY (p_followup_device);
  UPDATE pending_removal SET leaf_index = NULL WHERE gid = p_gid AND device_id = ANY (p_unsigned);

  IF cardinality(p_refs) > 0 THEN
    PERFORM use_key_packages(p_refs, g.room_id);
  END IF;
  -- Where a group has, or gets, members elsewhere.
  IF EXISTS (SELECT FROM peer_cursor c WHERE c.gid = p_gid AND c.until_seq IS NULL)
     OR EXISTS (SELECT FROM device d WHERE d.id = ANY (p_added) AND provider_of(d.client_uri) <> p_domain) THEN
    PERFORM track_peers(p_domain, p_gid, commit_seq);
  END IF;

  RETURN ('accepted', commit_seq, next_epoch, commit_chain, g.incarnation)::submission;
END $$;
