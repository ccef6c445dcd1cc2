-- Groups over several providers (DESIGN §8). At the hub a peer provider is a subscriber with one cursor per group, as a device is
-- one with its own; a follower keeps a replica of the log in the same tables as its own groups, under the hub's seq.

-- A claim across providers is answered likewise when it is repeated, until a Welcome to what was handed out has been taken.
ALTER TABLE key_package_claim ADD COLUMN used boolean NOT NULL DEFAULT false;

-- Where a group is at home, if not here; fixed at first sight. `gid` is the replica, once a device of ours is in the group.
CREATE TABLE followed_group (
  group_id       bytea PRIMARY KEY,
  hub            text  NOT NULL,                  -- domain
  room_id        text  NOT NULL,                  -- mimi://<hub>/r/<room>
  gid            bigint UNIQUE,
  head_signature bytea,                           -- the hub's, over the head of the replica
  head_key_id    text,
  stopped        text  CHECK (stopped IN ('equivocation')),
  first_seen_at  timestamptz NOT NULL DEFAULT now(),
  deleted_entries bigint,                         -- of the replica, when the hub had the group deleted: for the receipt
  deleted_at     timestamptz
);

-- Two signed heads of one hub for one seq: proof of two histories. Kept until an operator has dealt with it.
CREATE TABLE equivocation (
  group_id bytea NOT NULL, incarnation integer NOT NULL, seq bigint NOT NULL,
  kept_chain bytea NOT NULL, kept_signature bytea, kept_key_id text,
  other_chain bytea NOT NULL, other_signature bytea NOT NULL, other_key_id text NOT NULL,
  detected_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (group_id, incarnation, seq, other_chain)
);

-- At the hub: how far a peer has stored a group. It gets the entries after `acked` up to `until_seq`, the Commit that took its
-- last member out; NULL while it has members. Like a member's, this cursor is written often and never indexed.
CREATE TABLE peer_cursor (
  domain      text    NOT NULL,
  gid         bigint  NOT NULL,
  from_seq    bigint  NOT NULL,                   -- the Commit that brought the first member in
  acked       bigint  NOT NULL,
  incarnation integer NOT NULL,                   -- that it has heard of
  until_seq   bigint,
  stopped     text,                               -- why the peer refused for good; nothing is sent until an operator retries
  PRIMARY KEY (domain, gid)
) WITH (fillfactor = 80);
CREATE INDEX peer_cursor_by_group ON peer_cursor (gid);

-- At the hub: peers that have yet to answer with a receipt that a deleted group's entries are gone there, too.
CREATE TABLE peer_deletion (
  domain text NOT NULL, group_id bytea NOT NULL, room_id text NOT NULL, incarnation integer NOT NULL,
  asked_at timestamptz NOT NULL DEFAULT now(),
  receipt bytea, deleted_entries bigint, receipt_at timestamptz,
  PRIMARY KEY (domain, group_id)
);

-- The provider in mimi://<provider>/…
CREATE FUNCTION provider_of(uri text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT split_part(uri, '/', 3)
$$;

-- After members of a group have changed by the entry at p_seq: opens a cursor for each peer that has members now, and ends those
-- of peers that have none any more. The position of a foreign member is its provider's; its own is set past everything, so that
-- retention does not wait for it.
CREATE FUNCTION track_peers_v1(p_domain text, p_gid bigint, p_seq bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  UPDATE member m SET acked = 9223372036854775807
    FROM device d
   WHERE m.gid = p_gid AND m.from_seq = p_seq + 1 AND d.id = m.device_id AND provider_of(d.client_uri) <> p_domain;
  INSERT INTO peer_cursor AS c (domain, gid, from_seq, acked, incarnation)
  SELECT DISTINCT provider_of(d.client_uri), p_gid, p_seq, p_seq - 1, g.incarnation
    FROM member m JOIN device d ON d.id = m.device_id JOIN groups g ON g.gid = m.gid
   WHERE m.gid = p_gid AND m.from_seq = p_seq + 1 AND m.until_seq IS NULL AND provider_of(d.client_uri) <> p_domain
  ON CONFLICT (domain, gid) DO UPDATE
    -- Who comes back after it had gone gets nothing of what happened in between.
    SET from_seq = CASE WHEN c.until_seq IS NULL THEN c.from_seq ELSE excluded.from_seq END,
        acked = CASE WHEN c.until_seq IS NULL OR c.acked < c.until_seq THEN c.acked ELSE excluded.acked END,
        until_seq = NULL;
  UPDATE peer_cursor c SET until_seq = p_seq
   WHERE c.gid = p_gid AND c.until_seq IS NULL
     AND NOT EXISTS (
       SELECT FROM member m JOIN device d ON d.id = m.device_id
        WHERE m.gid = p_gid AND m.until_seq IS NULL AND provider_of(d.client_uri) = c.domain
     );
END $$;

-- submit_commit_v1, and in the same transaction what its Welcomes use up (p_refs), and the cursors of peers, where a group has or gets members elsewhere.
CREATE FUNCTION submit_commit_v2(
  p_domain text, p_refs bytea[], p_gid bigint, p_incarnation integer, p_device bigint, p_user bigint, p_external boolean, p_policy_version bigint,
  p_epoch bigint, p_hash bytea, p_bytes bytea,
  p_added bigint[], p_added_welcome integer[], p_removed bigint[], p_removed_reason text[],
  p_welcome bytea[], p_welcome_expires timestamptz[], p_group_info bytea, p_tree bytea,
  p_claimed_removed text[], p_reinit boolean,
  p_followup bytea[], p_followup_hash bytea[], p_followup_device bigint[], p_unsigned bigint[]
) RETURNS submission_v1 LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  done submission_v1;
BEGIN
  done := submit_commit_v1(
    p_gid, p_incarnation, p_device, p_user, p_external, p_policy_version, p_epoch, p_hash, p_bytes,
    p_added, p_added_welcome, p_removed, p_removed_reason, p_welcome, p_welcome_expires, p_group_info, p_tree,
    p_claimed_removed, p_reinit, p_followup, p_followup_hash, p_followup_device, p_unsigned);
  IF done.outcome = 'accepted' AND cardinality(p_refs) > 0 THEN
    UPDATE key_package_claim SET used = true WHERE ref = ANY (p_refs) AND NOT used;
  END IF;
  IF done.outcome = 'accepted' AND (
       EXISTS (SELECT FROM peer_cursor c WHERE c.gid = p_gid AND c.until_seq IS NULL)
       OR EXISTS (SELECT FROM device d WHERE d.id = ANY (p_added) AND provider_of(d.client_uri) <> p_domain)
     ) THEN
    PERFORM track_peers_v1(p_domain, p_gid, done.seq);
  END IF;
  RETURN done;
END $$;

-- delete_group_v1, and every peer that ever had members owes a receipt. Foreign members find nothing in an inbox here.
CREATE FUNCTION delete_group_v2(p_domain text, p_gid bigint) RETURNS TABLE (outcome text, entries bigint, devices bigint[])
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
  PERFORM 1 FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  INSERT INTO peer_deletion (domain, group_id, room_id, incarnation)
  SELECT c.domain, g.group_id, g.room_id, g.incarnation FROM peer_cursor c JOIN groups g USING (gid)
   WHERE c.gid = p_gid AND g.deleted_at IS NULL
  ON CONFLICT DO NOTHING;
  DELETE FROM peer_cursor WHERE gid = p_gid;
  RETURN QUERY SELECT * FROM delete_group_v1(p_gid);
  DELETE FROM inbox i USING device d
   WHERE i.gid = p_gid AND i.kind = 'group.deleted' AND d.id = i.device_id AND provider_of(d.client_uri) <> p_domain;
END $$;

-- recovered_v1 for a provider that follows groups of others: their seqs and epochs are their hubs'.
CREATE OR REPLACE FUNCTION recovered_v1() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  bumped bigint;
BEGIN
  PERFORM 1 FROM groups ORDER BY gid FOR NO KEY UPDATE;
  UPDATE groups g
     SET incarnation = incarnation + 1, chain_from_seq = head_seq,
         head_chain = log_chain_start_v1(group_id, incarnation + 1)
   WHERE deleted_at IS NULL AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid);
  GET DIAGNOSTICS bumped = ROW_COUNT;
  -- A peer may have stored more than what is left here.
  UPDATE peer_cursor c SET acked = least(c.acked, g.head_seq) FROM groups g WHERE g.gid = c.gid;
  INSERT INTO inbox (device_id, kind, gid)
  SELECT m.device_id, 'resync', m.gid FROM member m JOIN groups g USING (gid)
   WHERE m.until_seq IS NULL AND g.deleted_at IS NULL AND m.acked < 9223372036854775807 ORDER BY m.device_id, m.gid;
  -- Some of them were handed out after the backup was taken.
  DELETE FROM key_package;
  RETURN bumped;
END $$;

-- Users of other providers have rows in account and device like ours, so that memberships, bans and admins are one thing. They cannot
-- log in here. Their keys stand apart: that a key is of one device only is each provider's own affair, and no provider shall be
-- able to keep a key from a user of another.
CREATE TABLE foreign_user (
  account_id bigint PRIMARY KEY REFERENCES account (id),
  fetched_at timestamptz NOT NULL                 -- when the provider last vouched for the devices and keys
);
CREATE TABLE foreign_signature_key (
  device_id   bigint NOT NULL REFERENCES device (id),
  public_key  bytea  NOT NULL,                    -- canonical form
  valid_from  timestamptz NOT NULL,
  valid_until timestamptz,
  PRIMARY KEY (device_id, public_key)
);
