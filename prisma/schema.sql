-- What a migrated database holds: every table, sequence, type, function and trigger, and the settings of the server's role.
-- For reading. `npm run cli -- schema-dump` writes it from a fresh database, and `npm run verify` compares it. The sources are
-- prisma/migrations (tables) and prisma/functions (functions and triggers), which also have the comments.

ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout=5s;
ALTER ROLE CURRENT_USER SET jit=off;
ALTER ROLE CURRENT_USER SET lock_timeout=2s;
ALTER ROLE CURRENT_USER SET plan_cache_mode=force_generic_plan;
ALTER ROLE CURRENT_USER SET statement_timeout=10s;

CREATE TYPE submission AS (
  outcome text,
  seq bigint,
  epoch bigint,
  chain bytea,
  incarnation integer
);

CREATE SEQUENCE account_id_seq AS bigint;
CREATE SEQUENCE device_id_seq AS bigint;
CREATE SEQUENCE signature_key_id_seq AS bigint;

CREATE TABLE _prisma_migrations (
  id character varying(36) NOT NULL,
  checksum character varying(64) NOT NULL,
  finished_at timestamp with time zone,
  migration_name character varying(255) NOT NULL,
  logs text,
  rolled_back_at timestamp with time zone,
  started_at timestamp with time zone DEFAULT now() NOT NULL,
  applied_steps_count integer DEFAULT 0 NOT NULL,
  CONSTRAINT _prisma_migrations_pkey PRIMARY KEY (id)
);

CREATE TABLE abuse_report (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  room_id text NOT NULL,
  provider text NOT NULL,
  reporter text NOT NULL,
  alleged_abuser text NOT NULL,
  reason smallint NOT NULL,
  note text NOT NULL,
  messages integer NOT NULL,
  reported_at timestamp with time zone DEFAULT now() NOT NULL,
  closed_at timestamp with time zone,
  CONSTRAINT abuse_report_pkey PRIMARY KEY (id)
);
CREATE INDEX abuse_report_by_abuser ON abuse_report USING btree (alleged_abuser);
CREATE INDEX abuse_report_by_reporter ON abuse_report USING btree (reporter);
CREATE UNIQUE INDEX abuse_report_open ON abuse_report USING btree (provider, room_id, reporter, alleged_abuser, reason, md5(note)) WHERE (closed_at IS NULL);

CREATE TABLE accepted_room (
  account_id bigint NOT NULL,
  room_id text NOT NULL,
  CONSTRAINT accepted_room_pkey PRIMARY KEY (account_id, room_id)
);

CREATE TABLE account (
  id bigint DEFAULT nextval('account_id_seq'::regclass) NOT NULL,
  user_uri text NOT NULL,
  created_at timestamp(6) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  disabled_at timestamp(6) with time zone,
  deleted_at timestamp with time zone,
  erased_at timestamp with time zone,
  CONSTRAINT account_pkey PRIMARY KEY (id)
);
CREATE INDEX account_disabled ON account USING btree (id) WHERE (disabled_at IS NOT NULL);
CREATE INDEX account_erased ON account USING btree (deleted_at) WHERE (erased_at IS NOT NULL);
CREATE INDEX account_to_erase ON account USING btree (id) WHERE ((deleted_at IS NOT NULL) AND (erased_at IS NULL));
CREATE UNIQUE INDEX account_user_uri_key ON account USING btree (user_uri);
CREATE TRIGGER drop_pending_list_change_on_account_disable AFTER UPDATE OF disabled_at ON account FOR EACH ROW WHEN (((old.disabled_at IS NULL) AND (new.disabled_at IS NOT NULL))) EXECUTE FUNCTION drop_pending_list_change();
CREATE TRIGGER queue_removals_on_account_disable AFTER UPDATE OF disabled_at ON account FOR EACH ROW WHEN (((old.disabled_at IS NULL) AND (new.disabled_at IS NOT NULL))) EXECUTE FUNCTION queue_removals_of_account();
CREATE TRIGGER settle_admins_on_account_disable AFTER UPDATE OF disabled_at ON account FOR EACH ROW WHEN (((old.disabled_at IS NULL) AND (new.disabled_at IS NOT NULL))) EXECUTE FUNCTION settle_admins_of_account();

CREATE TABLE asking_account (
  account_id bigint NOT NULL,
  CONSTRAINT asking_account_pkey PRIMARY KEY (account_id),
  CONSTRAINT asking_account_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
);

CREATE TABLE challenge (
  nonce bytea NOT NULL,
  client_uri text NOT NULL,
  expires_at timestamp(6) with time zone NOT NULL,
  purpose text,
  CONSTRAINT challenge_pkey PRIMARY KEY (nonce)
);
CREATE INDEX challenge_expires_at_idx ON challenge USING btree (expires_at);

CREATE TABLE commit_claim (
  gid bigint NOT NULL,
  seq bigint NOT NULL,
  removed_clients text[] NOT NULL,
  reinit boolean NOT NULL,
  CONSTRAINT commit_claim_pkey PRIMARY KEY (gid, seq)
);

CREATE TABLE commit_report (
  gid bigint NOT NULL,
  seq bigint NOT NULL,
  user_id bigint NOT NULL,
  reason text NOT NULL,
  reported_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT commit_report_pkey PRIMARY KEY (gid, seq, user_id)
);

CREATE TABLE consent (
  target text NOT NULL,
  requester text NOT NULL,
  room text NOT NULL,
  state text NOT NULL,
  asked_at timestamp with time zone,
  told text,
  changed_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT consent_pkey PRIMARY KEY (target, requester, room),
  CONSTRAINT consent_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'granted'::text, 'revoked'::text]))),
  CONSTRAINT consent_told_check CHECK ((told = ANY (ARRAY['granted'::text, 'revoked'::text])))
);
CREATE INDEX consent_by_requester ON consent USING btree (requester);

CREATE TABLE deployment (
  one boolean DEFAULT true NOT NULL,
  domain text NOT NULL,
  CONSTRAINT deployment_pkey PRIMARY KEY (one),
  CONSTRAINT deployment_one_check CHECK (one)
);

CREATE TABLE device (
  id bigint DEFAULT nextval('device_id_seq'::regclass) NOT NULL,
  account_id bigint NOT NULL,
  client_uri text NOT NULL,
  created_at timestamp(6) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  revoked_at timestamp(6) with time zone,
  session_generation integer DEFAULT 0 NOT NULL,
  CONSTRAINT device_pkey PRIMARY KEY (id),
  CONSTRAINT device_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id) ON UPDATE CASCADE ON DELETE RESTRICT
);
CREATE INDEX device_account_id_idx ON device USING btree (account_id);
CREATE UNIQUE INDEX device_client_uri_key ON device USING btree (client_uri);
CREATE INDEX device_revoked ON device USING btree (id) WHERE (revoked_at IS NOT NULL);
CREATE TRIGGER queue_removals_on_device_revoke AFTER UPDATE OF revoked_at ON device FOR EACH ROW WHEN (((old.revoked_at IS NULL) AND (new.revoked_at IS NOT NULL))) EXECUTE FUNCTION queue_removals_of_device();
CREATE CONSTRAINT TRIGGER require_certificate AFTER INSERT ON device DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_certificate();
CREATE TRIGGER tell_siblings_of_end AFTER UPDATE OF revoked_at ON device FOR EACH ROW WHEN (((old.revoked_at IS NULL) AND (new.revoked_at IS NOT NULL))) EXECUTE FUNCTION tell_siblings();
CREATE TRIGGER tell_siblings_of_new AFTER INSERT ON device FOR EACH ROW EXECUTE FUNCTION tell_siblings();

CREATE TABLE device_certificate (
  account_id bigint NOT NULL,
  identity bytea NOT NULL,
  number integer NOT NULL,
  kind smallint NOT NULL,
  device_id bigint,
  rights smallint NOT NULL,
  not_before timestamp with time zone NOT NULL,
  not_after timestamp with time zone NOT NULL,
  ended integer,
  signer integer NOT NULL,
  ended_at timestamp with time zone,
  replaced boolean DEFAULT false NOT NULL,
  certified_at timestamp with time zone DEFAULT now() NOT NULL,
  holder_key bytea,
  rp_id text,
  CONSTRAINT device_certificate_pkey PRIMARY KEY (account_id, identity, number),
  CONSTRAINT device_certificate_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
  CONSTRAINT device_certificate_device_id_fkey FOREIGN KEY (device_id) REFERENCES device(id)
);
CREATE INDEX device_certificate_active ON device_certificate USING btree (device_id) WHERE (ended IS NULL);
CREATE INDEX device_certificate_device ON device_certificate USING btree (device_id);

CREATE TABLE device_list (
  account_id bigint NOT NULL,
  identity bytea NOT NULL,
  number integer NOT NULL,
  hash bytea NOT NULL,
  head bytea NOT NULL,
  head_issued_at timestamp with time zone NOT NULL,
  head_expires_at timestamp with time zone NOT NULL,
  identities integer DEFAULT 1 NOT NULL,
  identity_key bytea,
  CONSTRAINT device_list_pkey PRIMARY KEY (account_id),
  CONSTRAINT device_list_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
);
CREATE TRIGGER note_identity_change AFTER UPDATE OF identity ON device_list FOR EACH ROW WHEN ((old.identity <> new.identity)) EXECUTE FUNCTION note_identity_change();

CREATE TABLE device_list_entry (
  account_id bigint NOT NULL,
  identity bytea NOT NULL,
  number integer NOT NULL,
  bytes bytea NOT NULL,
  CONSTRAINT device_list_entry_pkey PRIMARY KEY (account_id, identity, number),
  CONSTRAINT device_list_entry_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
);

CREATE TABLE device_news (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  device_id bigint NOT NULL,
  stream_id text,
  xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
  at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT device_news_pkey PRIMARY KEY (id)
);
CREATE INDEX device_news_by_xid ON device_news USING btree (xid);

CREATE TABLE draft_claim (
  hash bytea NOT NULL,
  account_id bigint NOT NULL,
  refs bytea[] NOT NULL,
  answer bytea NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT draft_claim_pkey PRIMARY KEY (hash)
);
CREATE INDEX draft_claim_by_account ON draft_claim USING btree (account_id);
CREATE INDEX draft_claim_due ON draft_claim USING btree (expires_at);

CREATE TABLE draft_member (
  gid bigint NOT NULL,
  device_id bigint NOT NULL,
  leaf_index integer,
  welcome_hash bytea,
  tree bytea STORAGE EXTERNAL,
  tree_hash bytea,
  CONSTRAINT draft_member_pkey PRIMARY KEY (device_id, gid),
  CONSTRAINT draft_member_gid_fkey FOREIGN KEY (gid) REFERENCES groups(gid) ON DELETE CASCADE
);
CREATE INDEX draft_member_by_group ON draft_member USING btree (gid);

CREATE TABLE draft_taken (
  hash bytea NOT NULL,
  room_id text NOT NULL,
  accepted_at timestamp with time zone NOT NULL,
  taken_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT draft_taken_pkey PRIMARY KEY (hash, room_id)
);
CREATE INDEX draft_taken_at ON draft_taken USING btree (taken_at);

CREATE TABLE draft_tree (
  gid bigint NOT NULL,
  hash bytea NOT NULL,
  bytes bytea STORAGE EXTERNAL NOT NULL,
  CONSTRAINT draft_tree_pkey PRIMARY KEY (gid, hash),
  CONSTRAINT draft_tree_gid_fkey FOREIGN KEY (gid) REFERENCES groups(gid) ON DELETE CASCADE
);

CREATE TABLE evidence (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  hub text NOT NULL,
  kind text NOT NULL,
  group_id bytea NOT NULL,
  room_id text NOT NULL,
  incarnation integer NOT NULL,
  seq bigint NOT NULL,
  why text NOT NULL,
  document text,
  stops boolean NOT NULL,
  found_at timestamp with time zone DEFAULT now() NOT NULL,
  closed_at timestamp with time zone,
  CONSTRAINT evidence_pkey PRIMARY KEY (id),
  CONSTRAINT evidence_kind_check CHECK ((kind = ANY (ARRAY['two-histories'::text, 'new-incarnation'::text, 'two-rooms'::text, 'two-modes'::text])))
);
CREATE UNIQUE INDEX evidence_open ON evidence USING btree (hub, group_id, kind, incarnation, seq) WHERE (closed_at IS NULL);

CREATE TABLE external_sender_key (
  scheme integer NOT NULL,
  public_key bytea NOT NULL,
  sealed_private bytea NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT external_sender_key_pkey PRIMARY KEY (scheme)
);

CREATE TABLE federation_nonce (
  slot smallint NOT NULL,
  domain text NOT NULL,
  nonce text NOT NULL,
  CONSTRAINT federation_nonce_pkey PRIMARY KEY (slot, domain, nonce)
) PARTITION BY LIST (slot);
CREATE TABLE federation_nonce_0 PARTITION OF federation_nonce FOR VALUES IN ('0');
CREATE TABLE federation_nonce_1 PARTITION OF federation_nonce FOR VALUES IN ('1');
CREATE TABLE federation_nonce_2 PARTITION OF federation_nonce FOR VALUES IN ('2');
CREATE TABLE federation_nonce_3 PARTITION OF federation_nonce FOR VALUES IN ('3');

CREATE TABLE federation_result (
  domain text NOT NULL,
  endpoint text NOT NULL,
  body_hash bytea NOT NULL,
  body bytea,
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT federation_result_pkey PRIMARY KEY (domain, endpoint, body_hash)
);
CREATE INDEX federation_result_expiry ON federation_result USING btree (expires_at);

CREATE TABLE followed_group (
  group_id bytea NOT NULL,
  hub text NOT NULL,
  room_id text NOT NULL,
  gid bigint,
  stopped text,
  first_seen_at timestamp with time zone DEFAULT now() NOT NULL,
  deleted_entries bigint,
  deleted_at timestamp with time zone,
  mls_group_id bytea,
  head text,
  head_directory bytea,
  accepted_incarnation integer,
  dialect text DEFAULT 'profile'::text NOT NULL,
  CONSTRAINT followed_group_pkey PRIMARY KEY (group_id),
  CONSTRAINT followed_group_dialect_check CHECK ((dialect = ANY (ARRAY['profile'::text, 'draft'::text]))) NOT VALID,
  CONSTRAINT followed_group_gid_key UNIQUE (gid),
  CONSTRAINT followed_group_stopped_check CHECK ((stopped = ANY (ARRAY['equivocation'::text, 'rewritten'::text]))) NOT VALID
);
CREATE INDEX followed_group_by_hub ON followed_group USING btree (hub);
CREATE INDEX followed_group_found ON followed_group USING btree (room_id) WHERE (gid IS NULL);
CREATE INDEX followed_group_in_room ON followed_group USING btree (room_id) WHERE (gid IS NOT NULL);
CREATE UNIQUE INDEX followed_group_once ON followed_group USING btree (hub, COALESCE(mls_group_id, group_id));

CREATE TABLE foreign_device_list (
  account_id bigint NOT NULL,
  identity bytea NOT NULL,
  number integer NOT NULL,
  identities integer NOT NULL,
  entries bytea[] NOT NULL,
  head bytea NOT NULL,
  fetched_at timestamp with time zone NOT NULL,
  ends integer[] DEFAULT '{}'::integer[] NOT NULL,
  wanted_until timestamp with time zone DEFAULT (now() + '1 day'::interval) NOT NULL,
  CONSTRAINT foreign_device_list_pkey PRIMARY KEY (account_id),
  CONSTRAINT foreign_device_list_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
);
CREATE INDEX foreign_device_list_wanted ON foreign_device_list USING btree (wanted_until);
CREATE TRIGGER count_list_bytes AFTER INSERT OR DELETE OR UPDATE OF entries ON foreign_device_list FOR EACH ROW EXECUTE FUNCTION count_list_bytes();
CREATE TRIGGER note_identity_change AFTER UPDATE OF identity ON foreign_device_list FOR EACH ROW WHEN ((old.identity <> new.identity)) EXECUTE FUNCTION note_identity_change();

CREATE TABLE foreign_key_package (
  ref bytea NOT NULL,
  room_id text NOT NULL,
  used boolean DEFAULT false NOT NULL,
  CONSTRAINT foreign_key_package_pkey PRIMARY KEY (ref, room_id),
  CONSTRAINT foreign_key_package_ref_fkey FOREIGN KEY (ref) REFERENCES key_package_claim(ref) ON DELETE CASCADE
) WITH (fillfactor=90);

CREATE TABLE foreign_signature_key (
  device_id bigint NOT NULL,
  public_key bytea NOT NULL,
  valid_from timestamp with time zone NOT NULL,
  valid_until timestamp with time zone,
  CONSTRAINT foreign_signature_key_pkey PRIMARY KEY (device_id, public_key),
  CONSTRAINT foreign_signature_key_device_id_fkey FOREIGN KEY (device_id) REFERENCES device(id)
);

CREATE TABLE foreign_user (
  account_id bigint NOT NULL,
  fetched_at timestamp with time zone NOT NULL,
  look_at timestamp with time zone DEFAULT (now() + '01:00:00'::interval) NOT NULL,
  devices integer DEFAULT 0 NOT NULL,
  CONSTRAINT foreign_user_pkey PRIMARY KEY (account_id),
  CONSTRAINT foreign_user_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
);
CREATE INDEX foreign_user_due ON foreign_user USING btree (look_at);
CREATE TRIGGER count_foreign_users AFTER INSERT OR DELETE OR UPDATE OF devices ON foreign_user FOR EACH ROW EXECUTE FUNCTION count_foreign_users();

CREATE TABLE function_file (
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
  CONSTRAINT function_file_pkey PRIMARY KEY (name, checksum)
);

CREATE TABLE group_admin (
  gid bigint NOT NULL,
  user_id bigint NOT NULL,
  CONSTRAINT group_admin_pkey PRIMARY KEY (gid, user_id)
);
CREATE INDEX group_admin_by_user ON group_admin USING btree (user_id);

CREATE TABLE group_ban (
  gid bigint NOT NULL,
  user_id bigint NOT NULL,
  CONSTRAINT group_ban_pkey PRIMARY KEY (gid, user_id)
);
CREATE INDEX group_ban_by_user ON group_ban USING btree (user_id);

CREATE TABLE group_info (
  gid bigint NOT NULL,
  epoch bigint NOT NULL,
  bytes bytea NOT NULL,
  CONSTRAINT group_info_pkey PRIMARY KEY (gid, epoch)
);

CREATE TABLE group_outcast (
  gid bigint NOT NULL,
  user_id bigint NOT NULL,
  CONSTRAINT group_outcast_pkey PRIMARY KEY (gid, user_id)
);
CREATE INDEX group_outcast_by_user ON group_outcast USING btree (user_id);

CREATE TABLE group_policy (
  gid bigint NOT NULL,
  external_join text NOT NULL,
  join_code_hash bytea,
  add_members text NOT NULL,
  remove_members text NOT NULL,
  reports_to_reset integer NOT NULL,
  version bigint DEFAULT 1 NOT NULL,
  identities text DEFAULT 'any'::text NOT NULL,
  CONSTRAINT group_policy_pkey PRIMARY KEY (gid),
  CONSTRAINT group_policy_add_members_check CHECK ((add_members = ANY (ARRAY['members'::text, 'admins'::text]))),
  CONSTRAINT group_policy_external_join_check CHECK ((external_join = ANY (ARRAY['same-user'::text, 'code'::text, 'open'::text, 'none'::text]))),
  CONSTRAINT group_policy_identities_check CHECK ((identities = ANY (ARRAY['certified'::text, 'any'::text]))),
  CONSTRAINT group_policy_remove_members_check CHECK ((remove_members = ANY (ARRAY['members'::text, 'admins'::text])))
);

CREATE TABLE group_remains (
  gid bigint NOT NULL,
  after_seq bigint DEFAULT 0 NOT NULL,
  CONSTRAINT group_remains_pkey PRIMARY KEY (gid)
);

CREATE TABLE group_snapshot (
  gid bigint NOT NULL,
  epoch bigint NOT NULL,
  seq bigint NOT NULL,
  bytes bytea NOT NULL,
  CONSTRAINT group_snapshot_pkey PRIMARY KEY (gid, epoch)
);

CREATE TABLE group_tree (
  gid bigint NOT NULL,
  epoch bigint NOT NULL,
  bytes bytea NOT NULL,
  CONSTRAINT group_tree_pkey PRIMARY KEY (gid, epoch)
);

CREATE TABLE groups (
  gid bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  group_id bytea NOT NULL,
  incarnation integer DEFAULT 1 NOT NULL,
  mode text NOT NULL,
  cipher_suite integer NOT NULL,
  epoch bigint NOT NULL,
  head_seq bigint DEFAULT 0 NOT NULL,
  head_chain bytea NOT NULL,
  post_floor bigint DEFAULT 0 NOT NULL,
  chain_from_seq bigint DEFAULT 0 NOT NULL,
  floor_seq bigint DEFAULT 0 NOT NULL,
  room_id text NOT NULL,
  frozen text,
  successor_group_id bytea,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  deleted_at timestamp with time zone,
  bytes bigint DEFAULT 0 NOT NULL,
  payer bigint,
  over_quota boolean DEFAULT false NOT NULL,
  reused_above bigint,
  frozen_at timestamp with time zone,
  frozen_by bigint,
  reserved_until timestamp with time zone,
  reserved_for bigint,
  announced_group_id bytea,
  predecessor_gid bigint,
  stops integer DEFAULT 0 NOT NULL,
  mls_group_id bytea,
  CONSTRAINT groups_pkey PRIMARY KEY (gid),
  CONSTRAINT groups_frozen_check CHECK ((frozen = ANY (ARRAY['reinit'::text, 'reset'::text]))),
  CONSTRAINT groups_group_id_key UNIQUE (group_id),
  CONSTRAINT groups_mode_check CHECK ((mode = ANY (ARRAY['public'::text, 'private'::text])))
) WITH (fillfactor=50);
CREATE UNIQUE INDEX groups_announced ON groups USING btree (announced_group_id) WHERE (announced_group_id IS NOT NULL);
CREATE INDEX groups_by_mls_id ON groups USING btree (mls_group_id) WHERE (mls_group_id IS NOT NULL);
CREATE INDEX groups_by_payer ON groups USING btree (payer) WHERE ((payer IS NOT NULL) AND (deleted_at IS NULL));
CREATE TRIGGER count_replica_bytes AFTER UPDATE OF bytes, deleted_at ON groups FOR EACH ROW WHEN (((new.payer IS NULL) AND ((new.bytes <> old.bytes) OR (new.deleted_at IS DISTINCT FROM old.deleted_at)))) EXECUTE FUNCTION count_replica_bytes();
CREATE TRIGGER drop_incarnations_on_group_delete AFTER UPDATE OF deleted_at ON groups FOR EACH ROW WHEN ((new.deleted_at IS NOT NULL)) EXECUTE FUNCTION drop_incarnations();
CREATE TRIGGER drop_sender_keys_on_group_delete AFTER UPDATE OF deleted_at ON groups FOR EACH ROW WHEN (((old.deleted_at IS NULL) AND (new.deleted_at IS NOT NULL))) EXECUTE FUNCTION drop_sender_keys();
CREATE TRIGGER record_incarnation AFTER UPDATE OF incarnation ON groups FOR EACH ROW WHEN ((old.incarnation <> new.incarnation)) EXECUTE FUNCTION record_incarnation();

CREATE TABLE handed_out_key_package (
  ref bytea NOT NULL,
  room_id text NOT NULL,
  device_id bigint NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  used_gid bigint,
  used_seq bigint,
  used_hash bytea,
  further smallint DEFAULT 0 NOT NULL,
  CONSTRAINT handed_out_key_package_pkey PRIMARY KEY (room_id, ref)
);
CREATE INDEX handed_out_key_package_by_device ON handed_out_key_package USING btree (device_id);
CREATE INDEX handed_out_key_package_expiry ON handed_out_key_package USING btree (expires_at);

CREATE TABLE identity_notice (
  account_id bigint NOT NULL,
  gid bigint NOT NULL,
  after_device bigint DEFAULT 0 NOT NULL,
  CONSTRAINT identity_notice_pkey PRIMARY KEY (account_id, gid),
  CONSTRAINT identity_notice_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
);

CREATE TABLE inbox (
  device_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  kind text NOT NULL,
  gid bigint,
  seq bigint,
  ordinal integer,
  payload jsonb,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT inbox_pkey PRIMARY KEY (device_id, id),
  CONSTRAINT inbox_kind_check CHECK ((kind = ANY (ARRAY['welcome'::text, 'key-packages.low'::text, 'group.deleted'::text, 'group.leaving'::text, 'group.frozen'::text, 'resync'::text, 'device.added'::text, 'device.revoked'::text, 'identity.changed'::text, 'device-list.changed'::text, 'device-list.pending'::text, 'device-list.dropped'::text]))) NOT VALID
);
CREATE INDEX inbox_by_group ON inbox USING btree (gid, seq, device_id) WHERE (gid IS NOT NULL);
CREATE TRIGGER keep_blocked_out BEFORE INSERT ON inbox FOR EACH ROW WHEN ((new.gid IS NOT NULL)) EXECUTE FUNCTION keep_blocked_out();

CREATE TABLE incarnation_begun (
  gid bigint NOT NULL,
  incarnation integer NOT NULL,
  hub text NOT NULL,
  kept_seq bigint NOT NULL,
  vanished bigint NOT NULL,
  at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT incarnation_begun_pkey PRIMARY KEY (gid, incarnation)
);
CREATE INDEX incarnation_begun_by_hub ON incarnation_begun USING btree (hub, at);

CREATE TABLE incarnation_start (
  gid bigint NOT NULL,
  incarnation integer NOT NULL,
  from_seq bigint NOT NULL,
  CONSTRAINT incarnation_start_pkey PRIMARY KEY (gid, incarnation)
);

CREATE TABLE introduction (
  account_id bigint NOT NULL,
  domain text NOT NULL,
  until timestamp with time zone NOT NULL,
  CONSTRAINT introduction_pkey PRIMARY KEY (account_id, domain),
  CONSTRAINT introduction_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
);
CREATE INDEX introduction_expiry ON introduction USING btree (until);

CREATE TABLE invite (
  code_hash bytea NOT NULL,
  account_id bigint,
  uses_left integer NOT NULL,
  expires_at timestamp(6) with time zone NOT NULL,
  CONSTRAINT invite_pkey PRIMARY KEY (code_hash),
  CONSTRAINT invite_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id) ON UPDATE CASCADE ON DELETE RESTRICT
);
CREATE INDEX invite_by_account ON invite USING btree (account_id) WHERE (account_id IS NOT NULL);

CREATE TABLE issuer_key (
  id integer GENERATED ALWAYS AS IDENTITY NOT NULL,
  key_id bytea NOT NULL,
  truncated_id smallint NOT NULL,
  token_key bytea NOT NULL,
  sealed_private bytea NOT NULL,
  issues_from timestamp with time zone NOT NULL,
  issues_until timestamp with time zone NOT NULL,
  redeems_until timestamp with time zone NOT NULL,
  CONSTRAINT issuer_key_pkey PRIMARY KEY (id),
  CONSTRAINT issuer_key_key_id_key UNIQUE (key_id)
);

CREATE TABLE kept_directory (
  domain text NOT NULL,
  hash bytea NOT NULL,
  keys text[] NOT NULL,
  key_ids text[] NOT NULL,
  changed boolean NOT NULL,
  issued_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  document text NOT NULL,
  kept_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT kept_directory_pkey PRIMARY KEY (domain, hash)
);

CREATE TABLE kept_head (
  gid bigint NOT NULL,
  incarnation integer NOT NULL,
  seq bigint NOT NULL,
  head text NOT NULL,
  directory bytea,
  CONSTRAINT kept_head_pkey PRIMARY KEY (gid, incarnation, seq)
);

CREATE TABLE key_package (
  device_id bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  cipher_suite integer NOT NULL,
  last_resort boolean NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  ref bytea NOT NULL,
  signature_key bytea NOT NULL,
  extensions integer[] NOT NULL,
  proposals integer[] NOT NULL,
  credentials integer[] NOT NULL,
  bytes bytea STORAGE EXTERNAL NOT NULL,
  CONSTRAINT key_package_pkey PRIMARY KEY (device_id, id)
);
CREATE INDEX key_package_claimable ON key_package USING btree (device_id, cipher_suite, id) WHERE (NOT last_resort);
CREATE INDEX key_package_expiry ON key_package USING btree (expires_at);
CREATE UNIQUE INDEX key_package_once ON key_package USING btree (device_id, ref);
CREATE UNIQUE INDEX key_package_one_last_resort ON key_package USING btree (device_id, cipher_suite) WHERE last_resort;

CREATE TABLE key_package_claim (
  ref bytea NOT NULL,
  device_id bigint NOT NULL,
  cipher_suite integer NOT NULL,
  last_resort boolean NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  used boolean DEFAULT false NOT NULL,
  claimer text,
  CONSTRAINT key_package_claim_pkey PRIMARY KEY (ref)
);
CREATE INDEX key_package_claim_by_claimer ON key_package_claim USING btree (claimer) WHERE (claimer IS NOT NULL);
CREATE INDEX key_package_claim_by_device ON key_package_claim USING btree (device_id, cipher_suite);
CREATE INDEX key_package_claim_expiry ON key_package_claim USING btree (expires_at);

CREATE TABLE log (
  gid bigint NOT NULL,
  seq bigint NOT NULL,
  kind character(1) NOT NULL,
  epoch bigint NOT NULL,
  accepted_at timestamp with time zone NOT NULL,
  hash bytea NOT NULL,
  chain bytea NOT NULL,
  bytes bytea STORAGE EXTERNAL NOT NULL,
  CONSTRAINT log_pkey PRIMARY KEY (gid, seq),
  CONSTRAINT log_kind_check CHECK ((kind = ANY (ARRAY['c'::bpchar, 'p'::bpchar, 'a'::bpchar])))
) PARTITION BY HASH (gid);
CREATE TABLE log_0 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 0);
CREATE TABLE log_1 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 1);
CREATE TABLE log_2 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 2);
CREATE TABLE log_3 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 3);
CREATE TABLE log_4 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 4);
CREATE TABLE log_5 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 5);
CREATE TABLE log_6 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 6);
CREATE TABLE log_7 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 7);
CREATE TABLE log_8 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 8);
CREATE TABLE log_9 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 9);
CREATE TABLE log_10 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 10);
CREATE TABLE log_11 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 11);
CREATE TABLE log_12 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 12);
CREATE TABLE log_13 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 13);
CREATE TABLE log_14 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 14);
CREATE TABLE log_15 PARTITION OF log FOR VALUES WITH (modulus 16, remainder 15);
CREATE INDEX log_by_hash ON log USING btree (gid, hash);
CREATE INDEX log_handshakes ON log USING btree (gid, seq) WHERE (kind = ANY (ARRAY['c'::bpchar, 'p'::bpchar]));
CREATE UNIQUE INDEX log_one_commit_per_epoch ON log USING btree (gid, epoch) WHERE (kind = 'c'::bpchar);

CREATE TABLE member (
  device_id bigint NOT NULL,
  gid bigint NOT NULL,
  from_seq bigint NOT NULL,
  until_seq bigint,
  join_epoch bigint NOT NULL,
  acked bigint NOT NULL,
  resync boolean DEFAULT false NOT NULL,
  ended text,
  read_until bigint,
  delivery text DEFAULT 'all'::text NOT NULL,
  CONSTRAINT member_pkey PRIMARY KEY (device_id, gid, from_seq),
  CONSTRAINT member_delivery_check CHECK ((delivery = ANY (ARRAY['all'::text, 'muted'::text, 'blocked'::text, 'invited'::text]))),
  CONSTRAINT member_ended_check CHECK ((ended = ANY (ARRAY['removed'::text, 'left'::text, 'revoked'::text, 'resync'::text])))
) WITH (fillfactor=80);
CREATE INDEX member_by_join ON member USING btree (gid, ((from_seq - 1)));
CREATE INDEX member_by_leave ON member USING btree (gid, until_seq) WHERE (until_seq IS NOT NULL);
CREATE INDEX member_invited ON member USING btree (device_id, gid) WHERE (delivery = 'invited'::text);
CREATE INDEX member_leaving ON member USING btree (gid, read_until) WHERE (read_until IS NOT NULL);
CREATE INDEX member_present ON member USING btree (gid, device_id) WHERE (until_seq IS NULL);
CREATE TRIGGER deliver_as_chosen BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION deliver_as_chosen();
CREATE TRIGGER record_news_on_change AFTER UPDATE OF until_seq, ended, resync, read_until, delivery ON member FOR EACH ROW WHEN (((old.until_seq IS DISTINCT FROM new.until_seq) OR (old.resync <> new.resync) OR (old.read_until IS DISTINCT FROM new.read_until) OR (old.delivery <> new.delivery))) EXECUTE FUNCTION record_membership_change();
CREATE TRIGGER record_news_on_delete AFTER DELETE ON member REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION record_membership_news();
CREATE TRIGGER record_news_on_join AFTER INSERT ON member REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION record_membership_news();

CREATE TABLE outcast_device (
  gid bigint NOT NULL,
  device_id bigint NOT NULL,
  CONSTRAINT outcast_device_pkey PRIMARY KEY (gid, device_id)
);
CREATE INDEX outcast_device_by_device ON outcast_device USING btree (device_id);

CREATE TABLE passed_commit (
  hash bytea NOT NULL,
  room_id text NOT NULL,
  device_id bigint NOT NULL,
  passed_at timestamp with time zone DEFAULT now() NOT NULL,
  used_gid bigint,
  used_seq bigint,
  CONSTRAINT passed_commit_pkey PRIMARY KEY (room_id, hash)
);
CREATE INDEX passed_commit_by_age ON passed_commit USING btree (passed_at);
CREATE INDEX passed_commit_by_device ON passed_commit USING btree (device_id);

CREATE TABLE peer (
  domain text NOT NULL,
  policy text,
  paused boolean DEFAULT false NOT NULL,
  failures integer DEFAULT 0 NOT NULL,
  retry_at timestamp with time zone,
  lane_until timestamp with time zone,
  last_error text,
  last_error_at timestamp with time zone,
  last_inbound_at timestamp with time zone,
  endpoints jsonb,
  profiles text[],
  issued_at timestamp with time zone,
  fetched_at timestamp with time zone,
  alarm text,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  lane_owner text,
  x509_authorities bytea[] DEFAULT '{}'::bytea[] NOT NULL,
  device_list_bytes bigint DEFAULT 0 NOT NULL,
  clock_offset integer,
  expires_at timestamp with time zone,
  payload_hash bytea,
  features text[],
  directory_failing_since timestamp with time zone,
  directory_error text,
  CONSTRAINT peer_pkey PRIMARY KEY (domain),
  CONSTRAINT peer_policy_check CHECK ((policy = ANY (ARRAY['allow'::text, 'deny'::text])))
);

CREATE TABLE peer_cursor (
  domain text NOT NULL,
  gid bigint NOT NULL,
  from_seq bigint NOT NULL,
  acked bigint NOT NULL,
  incarnation integer NOT NULL,
  until_seq bigint,
  stopped text,
  told_stops integer DEFAULT 0 NOT NULL,
  failures integer DEFAULT 0 NOT NULL,
  retry_at timestamp with time zone,
  last_error text,
  CONSTRAINT peer_cursor_pkey PRIMARY KEY (domain, gid)
) WITH (fillfactor=80);
CREATE INDEX peer_cursor_by_group ON peer_cursor USING btree (gid);
CREATE INDEX peer_cursor_waiting ON peer_cursor USING btree (domain) WHERE (retry_at IS NOT NULL);

CREATE TABLE peer_deletion (
  domain text NOT NULL,
  group_id bytea NOT NULL,
  room_id text NOT NULL,
  incarnation integer NOT NULL,
  asked_at timestamp with time zone DEFAULT now() NOT NULL,
  receipt bytea,
  deleted_entries bigint,
  receipt_at timestamp with time zone,
  failures integer DEFAULT 0 NOT NULL,
  retry_at timestamp with time zone,
  last_error text,
  receipt_directory bytea,
  CONSTRAINT peer_deletion_pkey PRIMARY KEY (domain, group_id)
);

CREATE TABLE peer_erasure (
  domain text NOT NULL,
  erasure_id bytea NOT NULL,
  account_id bigint NOT NULL,
  user_uri text,
  asked_at timestamp with time zone DEFAULT now() NOT NULL,
  receipt bytea,
  receipt_at timestamp with time zone,
  failures integer DEFAULT 0 NOT NULL,
  retry_at timestamp with time zone,
  last_error text,
  receipt_directory bytea,
  CONSTRAINT peer_erasure_pkey PRIMARY KEY (domain, erasure_id)
);
CREATE INDEX peer_erasure_by_account ON peer_erasure USING btree (account_id);

CREATE TABLE peer_key (
  domain text NOT NULL,
  key_id text NOT NULL,
  public_key bytea NOT NULL,
  not_before timestamp with time zone NOT NULL,
  not_after timestamp with time zone,
  CONSTRAINT peer_key_pkey PRIMARY KEY (domain, key_id),
  CONSTRAINT peer_key_domain_fkey FOREIGN KEY (domain) REFERENCES peer(domain) ON DELETE CASCADE
);

CREATE TABLE peer_past_key (
  domain text NOT NULL,
  key_id text NOT NULL,
  public_key bytea NOT NULL,
  gone_at timestamp with time zone NOT NULL,
  CONSTRAINT peer_past_key_pkey PRIMARY KEY (domain, key_id),
  CONSTRAINT peer_past_key_domain_fkey FOREIGN KEY (domain) REFERENCES peer(domain) ON DELETE CASCADE
);

CREATE TABLE peer_storage (
  domain text NOT NULL,
  bytes bigint DEFAULT 0 NOT NULL,
  new_bytes bigint DEFAULT 0 NOT NULL,
  new_groups integer DEFAULT 0 NOT NULL,
  foreign_users integer DEFAULT 0 NOT NULL,
  foreign_devices integer DEFAULT 0 NOT NULL,
  minute_at timestamp with time zone,
  minute_bytes bigint DEFAULT 0 NOT NULL,
  held_back_at timestamp with time zone,
  held_back text,
  CONSTRAINT peer_storage_pkey PRIMARY KEY (domain)
) WITH (fillfactor=50);

CREATE TABLE peer_user_storage (
  domain text NOT NULL,
  account_id bigint NOT NULL,
  bytes bigint DEFAULT 0 NOT NULL,
  new_bytes bigint DEFAULT 0 NOT NULL,
  new_groups integer DEFAULT 0 NOT NULL,
  CONSTRAINT peer_user_storage_pkey PRIMARY KEY (domain, account_id)
) WITH (fillfactor=50);
CREATE INDEX peer_user_storage_by_account ON peer_user_storage USING btree (account_id);

CREATE TABLE pending_list_change (
  account_id bigint NOT NULL,
  number integer NOT NULL,
  hash bytea NOT NULL,
  signers integer[] NOT NULL,
  entries bytea[] NOT NULL,
  head bytea NOT NULL,
  effective_at timestamp with time zone NOT NULL,
  CONSTRAINT pending_list_change_pkey PRIMARY KEY (account_id),
  CONSTRAINT pending_list_change_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
);
CREATE INDEX pending_list_change_due ON pending_list_change USING btree (effective_at);

CREATE TABLE pending_removal (
  gid bigint NOT NULL,
  device_id bigint NOT NULL,
  leaf_index integer,
  reason text NOT NULL,
  proposed_epoch bigint,
  told boolean DEFAULT false NOT NULL,
  CONSTRAINT pending_removal_pkey PRIMARY KEY (gid, device_id),
  CONSTRAINT pending_removal_reason_check CHECK ((reason = ANY (ARRAY['leave'::text, 'revoke'::text])))
);

CREATE TABLE provider_directory (
  only_one boolean DEFAULT true NOT NULL,
  content_hash bytea NOT NULL,
  issued_at timestamp with time zone NOT NULL,
  signed jsonb NOT NULL,
  CONSTRAINT provider_directory_pkey PRIMARY KEY (only_one),
  CONSTRAINT provider_directory_only_one CHECK (only_one)
);

CREATE TABLE provider_key (
  key_id text NOT NULL,
  public_key bytea NOT NULL,
  sealed_private bytea NOT NULL,
  signs_from timestamp with time zone NOT NULL,
  signs_until timestamp with time zone,
  published_until timestamp with time zone,
  CONSTRAINT provider_key_pkey PRIMARY KEY (key_id)
);

CREATE TABLE provider_refusal (
  refusing text NOT NULL,
  refused text NOT NULL,
  seen_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT provider_refusal_pkey PRIMARY KEY (refusing, refused)
);

CREATE TABLE refresh_token (
  family uuid NOT NULL,
  device_id bigint NOT NULL,
  token_hash bytea NOT NULL,
  previous_hash bytea,
  rotated_at timestamp(6) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  expires_at timestamp(6) with time zone NOT NULL,
  proof_key bytea,
  CONSTRAINT refresh_token_pkey PRIMARY KEY (family),
  CONSTRAINT refresh_token_device_id_fkey FOREIGN KEY (device_id) REFERENCES device(id) ON UPDATE CASCADE ON DELETE RESTRICT
);
CREATE INDEX refresh_token_device_id_idx ON refresh_token USING btree (device_id);
CREATE INDEX refresh_token_expires_at_idx ON refresh_token USING btree (expires_at);

CREATE TABLE replica_storage (
  gid bigint NOT NULL,
  hub text NOT NULL,
  account_id bigint,
  stage smallint DEFAULT 0 NOT NULL,
  held_back_at timestamp with time zone,
  invited_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT replica_storage_pkey PRIMARY KEY (gid),
  CONSTRAINT replica_storage_stage_check CHECK (((stage >= 0) AND (stage <= 2)))
);
CREATE INDEX replica_storage_by_account ON replica_storage USING btree (account_id);
CREATE INDEX replica_storage_new ON replica_storage USING btree (gid) WHERE (stage = 0);

CREATE TABLE room (
  room_id text NOT NULL,
  current_gid bigint NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT room_pkey PRIMARY KEY (room_id)
);

CREATE TABLE room_delivery (
  device_id bigint NOT NULL,
  room_id text NOT NULL,
  delivery text NOT NULL,
  CONSTRAINT room_delivery_pkey PRIMARY KEY (device_id, room_id),
  CONSTRAINT room_delivery_delivery_check CHECK ((delivery = ANY (ARRAY['muted'::text, 'blocked'::text])))
);

CREATE TABLE sender_key (
  gid bigint NOT NULL,
  epoch bigint NOT NULL,
  user_id bigint NOT NULL,
  public_key bytea NOT NULL,
  CONSTRAINT sender_key_pkey PRIMARY KEY (gid, epoch, user_id)
);

CREATE TABLE signature_key (
  id bigint DEFAULT nextval('signature_key_id_seq'::regclass) NOT NULL,
  device_id bigint NOT NULL,
  scheme integer NOT NULL,
  public_key bytea NOT NULL,
  valid_from timestamp(6) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  valid_until timestamp(6) with time zone,
  revoked_at timestamp(6) with time zone,
  successor_id bigint,
  certificate integer,
  CONSTRAINT signature_key_pkey PRIMARY KEY (id),
  CONSTRAINT signature_key_device_id_fkey FOREIGN KEY (device_id) REFERENCES device(id) ON UPDATE CASCADE ON DELETE RESTRICT,
  CONSTRAINT signature_key_successor_id_fkey FOREIGN KEY (successor_id) REFERENCES signature_key(id) ON UPDATE CASCADE ON DELETE SET NULL
);
CREATE INDEX signature_key_device_id_idx ON signature_key USING btree (device_id);
CREATE UNIQUE INDEX signature_key_public_key_key ON signature_key USING btree (public_key);
CREATE UNIQUE INDEX signature_key_successor_id_key ON signature_key USING btree (successor_id);

CREATE TABLE spent_token (
  issuer_key integer NOT NULL,
  nonce bytea NOT NULL,
  CONSTRAINT spent_token_pkey PRIMARY KEY (issuer_key, nonce)
) PARTITION BY LIST (issuer_key);

CREATE TABLE token_answer (
  issuer text NOT NULL,
  key_id bytea NOT NULL,
  holder text NOT NULL,
  request_hash bytea NOT NULL,
  answer bytea NOT NULL,
  nth integer NOT NULL,
  CONSTRAINT token_answer_pkey PRIMARY KEY (issuer, key_id, holder, request_hash),
  CONSTRAINT token_answer_issuer_key_id_holder_request_hash_fkey FOREIGN KEY (issuer, key_id, holder, request_hash) REFERENCES token_batch(issuer, key_id, holder, request_hash) ON DELETE CASCADE
);

CREATE TABLE token_batch (
  issuer text NOT NULL,
  key_id bytea NOT NULL,
  holder text NOT NULL,
  request_hash bytea NOT NULL,
  CONSTRAINT token_batch_pkey PRIMARY KEY (issuer, key_id, holder, request_hash),
  CONSTRAINT token_batch_issuer_key_id_holder_fkey FOREIGN KEY (issuer, key_id, holder) REFERENCES token_quota(issuer, key_id, holder) ON DELETE CASCADE
);

CREATE TABLE token_issuer (
  issuer text NOT NULL,
  keys jsonb NOT NULL,
  batch_size integer NOT NULL,
  used_at timestamp with time zone DEFAULT now() NOT NULL,
  refusal text,
  CONSTRAINT token_issuer_pkey PRIMARY KEY (issuer)
);
CREATE INDEX token_issuer_by_use ON token_issuer USING btree (used_at);

CREATE TABLE token_quota (
  issuer text NOT NULL,
  key_id bytea NOT NULL,
  holder text NOT NULL,
  issued integer NOT NULL,
  forget_at timestamp with time zone NOT NULL,
  CONSTRAINT token_quota_pkey PRIMARY KEY (issuer, key_id, holder)
);
CREATE INDEX token_quota_by_holder ON token_quota USING btree (holder);
CREATE INDEX token_quota_expiry ON token_quota USING btree (forget_at);

CREATE TABLE token_signing_key (
  kid text NOT NULL,
  public_jwk jsonb NOT NULL,
  sealed_private bytea NOT NULL,
  signs_from timestamp(6) with time zone NOT NULL,
  signs_until timestamp(6) with time zone,
  published_until timestamp(6) with time zone,
  CONSTRAINT token_signing_key_pkey PRIMARY KEY (kid)
);

CREATE TABLE unsearchable_account (
  account_id bigint NOT NULL,
  CONSTRAINT unsearchable_account_pkey PRIMARY KEY (account_id),
  CONSTRAINT unsearchable_account_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id)
);

CREATE TABLE user_block (
  blocker text NOT NULL,
  blocked text NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT user_block_pkey PRIMARY KEY (blocker, blocked)
);
CREATE INDEX user_block_by_blocked ON user_block USING btree (blocked);

CREATE TABLE vanished_entry (
  gid bigint NOT NULL,
  incarnation integer NOT NULL,
  seq bigint NOT NULL,
  kind text NOT NULL,
  epoch bigint NOT NULL,
  hash bytea NOT NULL,
  CONSTRAINT vanished_entry_pkey PRIMARY KEY (gid, incarnation, seq)
);

CREATE TABLE welcome (
  gid bigint NOT NULL,
  seq bigint NOT NULL,
  ordinal integer NOT NULL,
  epoch bigint NOT NULL,
  bytes bytea NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT welcome_pkey PRIMARY KEY (gid, seq, ordinal)
);
CREATE INDEX welcome_expiry ON welcome USING btree (expires_at);

CREATE TABLE x509_authority (
  fingerprint bytea NOT NULL,
  certificate bytea NOT NULL,
  sealed_private bytea,
  signs_from timestamp with time zone NOT NULL,
  signs_until timestamp with time zone,
  issued_until timestamp with time zone,
  CONSTRAINT x509_authority_pkey PRIMARY KEY (fingerprint)
);

CREATE FUNCTION accept_invitation(p_group_id bytea, p_user bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  g groups;
  mine bigint[];
BEGIN
  SELECT * INTO g FROM groups WHERE group_id = p_group_id AND deleted_at IS NULL FOR NO KEY UPDATE;
  mine := ARRAY(
    SELECT d.id FROM device d CROSS JOIN LATERAL (
      SELECT FROM member m WHERE m.device_id = d.id AND m.gid = g.gid AND m.until_seq IS NULL AND m.read_until IS NULL OFFSET 0
    ) m WHERE d.account_id = p_user ORDER BY d.id);
  IF cardinality(mine) = 0 THEN
    RETURN 'unknown';
  END IF;
  INSERT INTO accepted_room (account_id, room_id) VALUES (p_user, g.room_id) ON CONFLICT DO NOTHING;
  FOR i IN 1 .. cardinality(mine) LOOP
    UPDATE member m SET delivery = 'all' WHERE m.device_id = mine[i] AND m.gid = g.gid AND m.delivery = 'invited';
    IF FOUND THEN
      INSERT INTO inbox (device_id, kind, gid)
      SELECT mine[i], 'resync', g.gid
       WHERE EXISTS (SELECT FROM member m WHERE m.device_id = mine[i] AND m.gid = g.gid AND m.until_seq IS NULL AND m.resync);
    END IF;
  END LOOP;
  RETURN 'accepted';
END $function$
;

CREATE FUNCTION add_peer_bytes(p_hub text, p_account bigint, p_bytes bigint, p_new_bytes bigint, p_new_groups integer)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO peer_storage AS s (domain, bytes, new_bytes, new_groups)
  VALUES (p_hub, greatest(0, p_bytes), greatest(0, p_new_bytes), greatest(0, p_new_groups))
  ON CONFLICT (domain) DO UPDATE SET bytes = greatest(0, s.bytes + p_bytes), new_bytes = greatest(0, s.new_bytes + p_new_bytes),
    new_groups = greatest(0, s.new_groups + p_new_groups);
  IF p_account IS NOT NULL THEN
    INSERT INTO peer_user_storage AS s (domain, account_id, bytes, new_bytes, new_groups)
    VALUES (p_hub, p_account, greatest(0, p_bytes), greatest(0, p_new_bytes), greatest(0, p_new_groups))
    ON CONFLICT (domain, account_id) DO UPDATE SET bytes = greatest(0, s.bytes + p_bytes), new_bytes = greatest(0, s.new_bytes + p_new_bytes),
      new_groups = greatest(0, s.new_groups + p_new_groups);
  END IF;
END $function$
;

CREATE FUNCTION append_messages(p_gid bigint[], p_device bigint[], p_epoch bigint[], p_length integer[], p_hashes bytea, p_blob bytea, p_max_past bigint, p_made_in integer[] DEFAULT NULL::integer[], p_wait_ms integer DEFAULT NULL::integer, p_max_bytes bigint DEFAULT NULL::bigint)
 RETURNS TABLE(ord integer, outcome text, seq bigint, epoch bigint, chain bytea, current_epoch bigint, incarnation integer, group_id bytea, accepted_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
  held bigint[];
BEGIN
  -- Not by lock_groups: a call of a function within is felt by each single message.
  IF p_wait_ms = 0 THEN
    held := ARRAY(SELECT g.gid FROM groups g WHERE g.gid = ANY (p_gid) ORDER BY g.gid FOR NO KEY UPDATE SKIP LOCKED);
  ELSE
    held := lock_groups(p_gid, p_wait_ms);
  END IF;

  RETURN QUERY
  WITH item AS (
    SELECT i.ord::integer AS ord, i.gid, i.device_id, i.epoch, i.made_in,
           substring(p_hashes FROM (i.ord::integer - 1) * 32 + 1 FOR 32) AS hash,
           (sum(i.length) OVER (ORDER BY i.ord))::integer - i.length AS skip, i.length
      FROM unnest(p_gid, p_device, p_epoch, p_length, p_made_in) WITH ORDINALITY AS i (gid, device_id, epoch, length, made_in, ord)
  ), judged AS (
    SELECT i.*, g.epoch AS current_epoch, g.head_seq, g.head_chain, g.incarnation, g.group_id,
           old.seq AS old_seq, old.chain AS old_chain, old.epoch AS old_epoch, old.accepted_at AS old_accepted_at,
           CASE
             WHEN g.gid IS NULL THEN 'unknown'
             WHEN i.gid <> ALL (held) THEN 'busy'
             WHEN g.deleted_at IS NOT NULL THEN 'deleted'
             WHEN old.seq IS NOT NULL AND m.saw_old THEN 'duplicate'
             WHEN m.since IS NULL THEN 'not-a-member'
             WHEN i.made_in <> g.incarnation AND (i.made_in > 0 OR i.epoch > g.reused_above) THEN 'incarnation'
             WHEN g.frozen IS NOT NULL THEN 'frozen'
             WHEN i.epoch > g.epoch THEN 'ahead'
             WHEN i.epoch < greatest(g.post_floor, g.epoch - p_max_past, m.since) THEN 'stale'
             WHEN g.over_quota OR g.bytes + i.length > p_max_bytes THEN 'full'
             ELSE 'accepted'
           END AS verdict
      FROM item i
      LEFT JOIN groups g ON g.gid = i.gid
      LEFT JOIN LATERAL (
        SELECT l.seq, l.chain, l.epoch, l.accepted_at FROM log l WHERE l.gid = i.gid AND l.hash = i.hash ORDER BY l.seq + 0 LIMIT 1
      ) old ON true
      LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE old.seq >= x.from_seq AND old.seq <= coalesce(least(x.until_seq, x.read_until), old.seq)) > 0 AS saw_old,
               max(x.join_epoch) FILTER (WHERE x.until_seq IS NULL AND x.read_until IS NULL) AS since
          FROM member x WHERE x.device_id = i.device_id AND x.gid = i.gid
      ) m ON true
  ), ranked AS (
    -- The same bytes twice in one batch are one message: the first that passes is it.
    SELECT j.*, row_number() OVER (PARTITION BY j.gid, j.hash, j.verdict ORDER BY j.ord) AS copy FROM judged j
  ), placed AS (
    SELECT r.*, r.head_seq + row_number() OVER (PARTITION BY r.gid ORDER BY r.ord) AS new_seq
      FROM ranked r WHERE r.verdict = 'accepted' AND r.copy = 1
  ), chained AS (
    SELECT p.*, log_chain_fold(p.head_chain, p.new_seq, 'a', p.epoch, p.hash) OVER in_order AS new_chain, sum(p.length) OVER in_order AS new_bytes
      FROM placed p WINDOW in_order AS (PARTITION BY p.gid ORDER BY p.new_seq)
  ), written AS (
    INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
    SELECT c.gid, c.new_seq, 'a', c.epoch, date_trunc('second', clock_timestamp()), c.hash, c.new_chain,
           substring(p_blob FROM c.skip + 1 FOR c.length)
      FROM chained c ORDER BY c.gid, c.new_seq
    RETURNING gid, seq, accepted_at
  ), moved AS (
    UPDATE groups g SET head_seq = t.new_seq, head_chain = t.new_chain, bytes = g.bytes + t.new_bytes
      FROM (
        SELECT DISTINCT ON (c.gid) c.gid, c.new_seq, c.new_chain, c.new_bytes FROM chained c ORDER BY c.gid, c.new_seq DESC
      ) t
     WHERE g.gid = t.gid
  )
  SELECT r.ord,
         CASE WHEN r.verdict = 'accepted' AND r.copy > 1 THEN 'duplicate' ELSE r.verdict END,
         coalesce(c.new_seq, CASE WHEN r.verdict = 'duplicate' THEN r.old_seq END),
         CASE WHEN r.verdict = 'duplicate' THEN r.old_epoch ELSE r.epoch END,
         coalesce(c.new_chain, CASE WHEN r.verdict = 'duplicate' THEN r.old_chain END),
         r.current_epoch, r.incarnation, r.group_id,
         coalesce(w.accepted_at, CASE WHEN r.verdict = 'duplicate' THEN r.old_accepted_at END)
    FROM ranked r
    LEFT JOIN chained c ON c.gid = r.gid AND c.hash = r.hash AND r.verdict = 'accepted'
    LEFT JOIN written w ON w.gid = c.gid AND w.seq = c.new_seq
   ORDER BY r.ord;
END $function$
;

CREATE FUNCTION assign_room(p_room text, p_group_id bytea, p_admin bigint, p_grace integer)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  before groups;
  g groups;
BEGIN
  SELECT x.* INTO before FROM room r JOIN groups x ON x.gid = r.current_gid WHERE r.room_id = p_room;
  IF NOT FOUND THEN
    RETURN 'unknown';
  END IF;
  -- Both, in the order of locks. Who makes another group current holds the lock of the one before.
  PERFORM FROM groups x WHERE x.gid = before.gid OR x.group_id = p_group_id ORDER BY x.gid FOR NO KEY UPDATE;
  SELECT x.* INTO before FROM room r JOIN groups x ON x.gid = r.current_gid WHERE r.room_id = p_room AND r.current_gid = before.gid;
  IF NOT FOUND THEN
    RETURN 'changed';
  END IF;
  SELECT * INTO g FROM groups x WHERE x.group_id = coalesce(p_group_id, before.group_id) AND x.room_id = p_room AND x.deleted_at IS NULL;
  IF NOT FOUND THEN
    RETURN 'other-room';
  END IF;
  IF g.gid <> before.gid THEN
    UPDATE room SET current_gid = g.gid WHERE room_id = p_room;
    IF is_reinitialized(g.gid) THEN
      UPDATE groups SET successor_group_id = NULL, announced_group_id = NULL, reserved_for = NULL, reserved_until = now() + make_interval(secs => p_grace)
       WHERE gid = g.gid;
      PERFORM tell_frozen(g);
    ELSE
      PERFORM resume_group(g);
    END IF;
    IF before.deleted_at IS NULL THEN
      PERFORM stop_for(before, mls_id(g), NULL);
    END IF;
  END IF;
  IF p_admin IS NOT NULL THEN
    PERFORM FROM group_policy p WHERE p.gid = g.gid FOR NO KEY UPDATE;
    INSERT INTO group_admin (gid, user_id) VALUES (g.gid, p_admin) ON CONFLICT DO NOTHING;
    UPDATE group_policy SET version = version + 1 WHERE gid = g.gid;
  END IF;
  RETURN 'accepted';
END $function$
;

CREATE FUNCTION authorize_admin(p_gid bigint, p_user bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  PERFORM FROM group_policy p WHERE p.gid = p_gid FOR NO KEY UPDATE;
  RETURN FOUND AND EXISTS (SELECT FROM group_admin a WHERE a.gid = p_gid AND a.user_id = p_user);
END $function$
;

CREATE FUNCTION awaits_word(p_gid bigint, p_device bigint, p_adder text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
DECLARE
  owner bigint := (SELECT d.account_id FROM device d WHERE d.id = p_device);
  name text;
  g groups;
  since bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM asking_account x WHERE x.account_id = owner) THEN
    RETURN false;
  END IF;
  SELECT a.user_uri INTO name FROM account a WHERE a.id = owner;
  SELECT * INTO g FROM groups WHERE gid = p_gid;
  -- The user's devices that come with this one do not know it either.
  SELECT max(m.from_seq) INTO since FROM member m WHERE m.device_id = p_device AND m.gid = p_gid;
  RETURN p_adder IS DISTINCT FROM name
     AND NOT EXISTS (SELECT FROM consent c WHERE c.target = name AND c.requester = p_adder AND c.room IN ('', g.room_id) AND c.state = 'granted')
     AND NOT EXISTS (SELECT FROM accepted_room r WHERE r.account_id = owner AND r.room_id = g.room_id)
     AND NOT EXISTS (
       SELECT FROM device d CROSS JOIN unnest(ARRAY[p_gid, g.predecessor_gid]) AS of_room (gid) CROSS JOIN LATERAL (
         SELECT FROM member m
          WHERE m.device_id = d.id AND m.gid = of_room.gid AND m.until_seq IS NULL AND m.read_until IS NULL AND m.delivery <> 'invited'
            AND (m.gid <> p_gid OR m.from_seq < since) OFFSET 0
       ) known WHERE d.account_id = owner
     );
END $function$
;

CREATE FUNCTION ban_user(p_gid bigint, p_user bigint, p_banned bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  dismissed text := dismiss_admin(p_gid, p_user, p_banned);
BEGIN
  IF dismissed <> 'accepted' THEN
    RETURN dismissed;
  END IF;
  UPDATE group_policy SET version = version + 1 WHERE gid = p_gid;
  INSERT INTO group_ban (gid, user_id) VALUES (p_gid, p_banned) ON CONFLICT DO NOTHING;
  RETURN 'accepted';
END $function$
;

CREATE FUNCTION blockers_among(p_devices bigint[], p_user bigint)
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE
AS $function$
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
END $function$
;

CREATE FUNCTION bytes_of(p_parts bytea[])
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT coalesce(sum(octet_length(x.bytes)), 0)::bigint FROM unnest(p_parts) AS x (bytes)
$function$
;

CREATE FUNCTION certificates_stand(p_gid bigint, p_added bigint[], p_certified bigint[], p_certificate integer[], p_ended integer[])
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
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
END $function$
;

CREATE FUNCTION change_policy(p_gid bigint, p_user bigint, p_version bigint, p_external_join text, p_join_code_hash bytea, p_add text, p_remove text, p_reports integer, p_identities text DEFAULT 'any'::text)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF NOT authorize_admin(p_gid, p_user) THEN
    RETURN 'forbidden';
  END IF;
  UPDATE group_policy
     SET external_join = p_external_join, join_code_hash = p_join_code_hash, add_members = p_add, remove_members = p_remove,
         reports_to_reset = p_reports, identities = CASE identities WHEN 'certified' THEN identities ELSE p_identities END, version = version + 1
   WHERE gid = p_gid AND version = p_version;
  RETURN CASE WHEN FOUND THEN 'accepted' ELSE 'changed' END;
END $function$
;

CREATE FUNCTION claim_key_packages(p_devices bigint[], p_suites integer[], p_extensions integer[], p_proposals integer[], p_credentials integer[], p_low integer, p_claimer text DEFAULT NULL::text, p_spare integer DEFAULT 0, p_share integer DEFAULT 1)
 RETURNS TABLE(device_id bigint, cipher_suite integer, last_resort boolean, expires_at timestamp with time zone, ref bytea, bytes bytea, low boolean)
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION count_foreign_users()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
  provider text := (SELECT provider_of(a.user_uri) FROM account a WHERE a.id = coalesce(NEW.account_id, OLD.account_id));
  more_users integer := CASE TG_OP WHEN 'INSERT' THEN 1 WHEN 'DELETE' THEN -1 ELSE 0 END;
  more_devices integer := coalesce(NEW.devices, 0) - coalesce(OLD.devices, 0);
BEGIN
  INSERT INTO peer_storage AS s (domain, foreign_users, foreign_devices)
  VALUES (provider, greatest(0, more_users), greatest(0, more_devices))
  ON CONFLICT (domain) DO UPDATE SET foreign_users = greatest(0, s.foreign_users + more_users),
    foreign_devices = greatest(0, s.foreign_devices + more_devices);
  RETURN NULL;
END $function$
;

CREATE FUNCTION count_list_bytes()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION count_replica_bytes()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
  own replica_storage;
  more bigint := NEW.bytes - OLD.bytes;
BEGIN
  SELECT * INTO own FROM replica_storage r WHERE r.gid = NEW.gid;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  PERFORM add_peer_bytes(own.hub, own.account_id, more, CASE WHEN own.stage = 0 THEN more ELSE 0 END,
    CASE WHEN own.stage = 0 AND NEW.deleted_at IS NOT NULL THEN -1 ELSE 0 END);
  IF NEW.deleted_at IS NOT NULL THEN
    DELETE FROM replica_storage r WHERE r.gid = NEW.gid;
  END IF;
  RETURN NULL;
END $function$
;

CREATE FUNCTION count_tokens(p_issuer text, p_key bytea, p_holder text, p_request bytea, p_tokens integer, p_quota integer, p_forget_at timestamp with time zone, OUT outcome text, OUT kept bytea)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION create_group(p_group_id bytea, p_mode text, p_suite integer, p_epoch bigint, p_device bigint, p_user bigint, p_room text, p_group_info bytea, p_tree bytea, p_snapshot bytea, p_successor_of bytea, p_external_join text, p_join_code_hash bytea, p_add text, p_remove text, p_reports integer, p_max_account bigint DEFAULT NULL::bigint, p_max_groups bigint DEFAULT NULL::bigint, p_policy_version bigint DEFAULT NULL::bigint, p_identities text DEFAULT 'any'::text)
 RETURNS TABLE(outcome text, gid bigint, incarnation integer, chain bytea, room_id text)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
  old groups;
  made groups;
  stored bytea;
  excess text;
  address bytea;
BEGIN
  IF p_successor_of IS NOT NULL THEN
    SELECT * INTO old FROM groups g WHERE g.group_id = p_successor_of FOR NO KEY UPDATE;
    excess := CASE WHEN FOUND THEN judge_successor(old, p_group_id, p_device, p_user) ELSE 'predecessor' END;
    IF excess IS NOT NULL THEN
      RETURN QUERY SELECT excess, NULL::bigint, NULL::integer, successor_address(old), old.room_id;
      RETURN;
    END IF;
    IF p_policy_version IS NOT NULL AND old.successor_group_id IS NULL AND NOT policy_is(old.gid, p_policy_version) THEN
      RETURN QUERY SELECT 'retry', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
    p_room := old.room_id;
  END IF;

  PERFORM lock_group_id(p_group_id);
  IF EXISTS (SELECT FROM groups g WHERE g.announced_group_id = p_group_id AND g.gid IS DISTINCT FROM old.gid) THEN
    RETURN QUERY SELECT 'exists', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
    RETURN;
  END IF;
  SELECT * INTO made FROM groups g WHERE g.gid = own_group(p_group_id);
  address := coalesce(made.group_id, free_address(NULL, p_group_id, false));
  INSERT INTO groups (group_id, mls_group_id, mode, cipher_suite, epoch, head_chain, room_id, payer, predecessor_gid, bytes)
  VALUES (address, nullif(p_group_id, address), p_mode, p_suite, p_epoch, log_chain_start(p_group_id, 1), p_room, p_user, old.gid,
          octet_length(p_group_info) + coalesce(octet_length(p_tree), 0) + coalesce(octet_length(p_snapshot), 0))
  ON CONFLICT (group_id) DO NOTHING RETURNING * INTO made;
  IF NOT FOUND THEN
    SELECT * INTO made FROM groups g WHERE g.group_id = address;
    SELECT i.bytes INTO stored FROM group_info i WHERE i.gid = made.gid AND i.epoch = p_epoch;
    RETURN QUERY SELECT
      CASE WHEN made.deleted_at IS NULL AND stored = p_group_info AND (old.gid IS NULL OR old.successor_group_id = p_group_id)
                AND EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = made.gid AND m.from_seq = 1)
           THEN 'duplicate' ELSE 'exists' END,
      made.gid, made.incarnation, log_chain_start(p_group_id, made.incarnation), made.room_id;
    RETURN;
  END IF;

  SELECT CASE WHEN count(*) > p_max_groups THEN 'too-many-groups' WHEN sum(g.bytes) > p_max_account THEN 'account-full' END INTO excess
    FROM groups g WHERE g.payer = p_user AND g.deleted_at IS NULL;
  IF excess IS NOT NULL THEN
    DELETE FROM groups g WHERE g.gid = made.gid;
    RETURN QUERY SELECT excess, NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
    RETURN;
  END IF;
  INSERT INTO room AS r (room_id, current_gid) VALUES (p_room, made.gid)
  ON CONFLICT (room_id) DO UPDATE SET current_gid = excluded.current_gid WHERE r.current_gid = old.gid;
  IF NOT FOUND THEN
    DELETE FROM groups g WHERE g.gid = made.gid;
    RETURN QUERY SELECT 'room-taken', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
    RETURN;
  END IF;
  IF old.gid IS NOT NULL THEN
    UPDATE groups g SET successor_group_id = p_group_id WHERE g.gid = old.gid;
  END IF;

  INSERT INTO member (device_id, gid, from_seq, join_epoch, acked) VALUES (p_device, made.gid, 1, p_epoch, 0);
  -- A room that is certified stays so, also where a node of the release before makes the successor.
  INSERT INTO group_policy (gid, external_join, join_code_hash, add_members, remove_members, reports_to_reset, identities)
  VALUES (made.gid, p_external_join, p_join_code_hash, p_add, p_remove, p_reports,
          CASE WHEN EXISTS (SELECT FROM group_policy p WHERE p.gid = old.gid AND p.identities = 'certified') THEN 'certified' ELSE p_identities END);
  -- The creator of the successor gets no rights by it that the predecessor did not give.
  INSERT INTO group_admin (gid, user_id)
  SELECT made.gid, p_user WHERE old.gid IS NULL
   UNION SELECT made.gid, a.user_id FROM group_admin a WHERE a.gid = old.gid;
  INSERT INTO group_info (gid, epoch, bytes) VALUES (made.gid, p_epoch, p_group_info);
  IF p_tree IS NOT NULL THEN
    INSERT INTO group_tree (gid, epoch, bytes) VALUES (made.gid, p_epoch, p_tree);
  END IF;
  IF p_snapshot IS NOT NULL THEN
    INSERT INTO group_snapshot (gid, epoch, seq, bytes) VALUES (made.gid, p_epoch, 0, p_snapshot);
  END IF;
  IF old.gid IS NOT NULL THEN
    INSERT INTO group_ban (gid, user_id) SELECT made.gid, b.user_id FROM group_ban b WHERE b.gid = old.gid;
    INSERT INTO group_outcast (gid, user_id)
    SELECT made.gid, x.user_id FROM (
      SELECT o.user_id FROM group_outcast o WHERE o.gid = old.gid
       UNION
      SELECT d.account_id FROM member m JOIN device d ON d.id = m.device_id WHERE m.gid = old.gid
       GROUP BY d.account_id
      HAVING (array_agg(m.ended ORDER BY m.until_seq DESC NULLS FIRST, (m.ended = 'removed') DESC NULLS FIRST))[1] = 'removed'
    ) x
     WHERE NOT EXISTS (
       SELECT FROM member m JOIN device d ON d.id = m.device_id
        WHERE m.gid = old.gid AND m.until_seq IS NULL AND d.account_id = x.user_id
     );
    INSERT INTO outcast_device (gid, device_id)
    SELECT made.gid, o.device_id FROM outcast_device o
     WHERE o.gid = old.gid AND NOT EXISTS (SELECT FROM member m WHERE m.device_id = o.device_id AND m.gid = old.gid)
     UNION
    SELECT made.gid, m.device_id FROM member m WHERE m.gid = old.gid
     GROUP BY m.device_id HAVING (array_agg(m.ended ORDER BY m.until_seq DESC NULLS FIRST))[1] = 'removed';
    PERFORM tell_frozen(old);
  END IF;
  RETURN QUERY SELECT 'accepted', made.gid, made.incarnation, made.head_chain, made.room_id;
END $function$
;

CREATE FUNCTION create_group_with_members(p_group_id bytea, p_mode text, p_suite integer, p_epoch bigint, p_device bigint, p_user bigint, p_room text, p_group_info bytea, p_tree bytea, p_snapshot bytea, p_successor_of bytea, p_external_join text, p_join_code_hash bytea, p_add text, p_remove text, p_reports integer, p_branch_of bytea, p_added bigint[], p_added_welcome integer[], p_welcome bytea[], p_welcome_expires timestamp with time zone[], p_refs bytea[], p_max_account bigint DEFAULT NULL::bigint, p_max_groups bigint DEFAULT NULL::bigint, p_policy_version bigint DEFAULT NULL::bigint, p_identities text DEFAULT 'any'::text)
 RETURNS TABLE(outcome text, gid bigint, incarnation integer, chain bytea, room_id text)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
  before_gid bigint;
  made record;
BEGIN
  IF p_branch_of IS NOT NULL OR cardinality(p_added) > 0 THEN
    SELECT g.gid INTO before_gid FROM groups g WHERE g.group_id = coalesce(p_successor_of, p_branch_of) FOR NO KEY UPDATE;
    IF EXISTS (
      SELECT FROM unnest(p_added || p_device) AS x (device_id)
       WHERE NOT EXISTS (
         SELECT FROM member m WHERE m.device_id = x.device_id AND m.gid = before_gid AND m.until_seq IS NULL AND m.read_until IS NULL
       )
    ) THEN
      RETURN QUERY SELECT 'members-changed', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
    -- Members of a successor are in the group together already.
    IF p_branch_of IS NOT NULL AND EXISTS (SELECT FROM blockers_among(p_added, p_user))
       AND own_group(p_group_id) IS NULL THEN
      RETURN QUERY SELECT 'no-consent', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
    IF NOT key_packages_unused(p_refs, p_room) AND own_group(p_group_id) IS NULL THEN
      RETURN QUERY SELECT 'key-package-used', NULL::bigint, NULL::integer, NULL::bytea, NULL::text;
      RETURN;
    END IF;
  END IF;

  SELECT * INTO made FROM create_group(
    p_group_id => p_group_id, p_mode => p_mode, p_suite => p_suite, p_epoch => p_epoch, p_device => p_device, p_user => p_user, p_room => p_room,
    p_group_info => p_group_info, p_tree => p_tree, p_snapshot => p_snapshot, p_successor_of => p_successor_of,
    p_external_join => p_external_join, p_join_code_hash => p_join_code_hash, p_add => p_add, p_remove => p_remove, p_reports => p_reports, p_max_account => p_max_account, p_max_groups => p_max_groups,
    p_policy_version => p_policy_version, p_identities => p_identities);
  IF made.outcome = 'accepted' AND cardinality(p_added) > 0 THEN
    -- Of epoch 0 only the creator has the keys.
    UPDATE groups g SET post_floor = p_epoch, bytes = g.bytes + bytes_of(p_welcome) WHERE g.gid = made.gid;
    INSERT INTO member (device_id, gid, from_seq, join_epoch, acked)
    SELECT x.device_id, made.gid, 1, p_epoch, 0 FROM unnest(p_added) AS x (device_id) ORDER BY x.device_id;
    PERFORM hold_invitations(made.gid, p_added, array_fill(p_user, ARRAY[cardinality(p_added)]));
    INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at)
    SELECT made.gid, 0, w.ord, p_epoch, w.bytes, w.expires_at
      FROM unnest(p_welcome, p_welcome_expires) WITH ORDINALITY AS w (bytes, expires_at, ord);
    INSERT INTO inbox (device_id, kind, gid, seq, ordinal)
    SELECT x.device_id, 'welcome', made.gid, 0, x.ordinal
      FROM unnest(p_added, p_added_welcome) AS x (device_id, ordinal) ORDER BY x.device_id;
    PERFORM use_key_packages(p_refs, made.room_id);
  END IF;
  RETURN QUERY SELECT made.outcome, made.gid, made.incarnation, made.chain, made.room_id;
END $function$
;

CREATE FUNCTION delete_account(p_domain text, p_account bigint, p_erasure bytea)
 RETURNS TABLE(devices bigint[], peers text[])
 LANGUAGE plpgsql
AS $function$
DECLARE
  name text;
  own bigint[];
  told text[];
BEGIN
  UPDATE account a SET disabled_at = coalesce(a.disabled_at, now()), deleted_at = now()
   WHERE a.id = p_account AND a.deleted_at IS NULL RETURNING a.user_uri INTO name;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  own := ARRAY(SELECT d.id FROM device d WHERE d.account_id = p_account ORDER BY d.id + 0);
  UPDATE device d SET revoked_at = now(), session_generation = d.session_generation + 1 WHERE d.account_id = p_account AND d.revoked_at IS NULL;
  UPDATE signature_key k SET revoked_at = now() WHERE k.device_id = ANY (own) AND k.revoked_at IS NULL;
  DELETE FROM refresh_token t WHERE t.device_id = ANY (own);
  IF p_erasure IS NOT NULL THEN
    INSERT INTO peer_erasure (domain, erasure_id, account_id, user_uri)
    SELECT x.domain, p_erasure, p_account, name FROM (
      SELECT f.hub AS domain FROM unnest(own) AS o (id)
       CROSS JOIN LATERAL (SELECT DISTINCT m.gid FROM member m WHERE m.device_id = o.id OFFSET 0) m
       CROSS JOIN LATERAL (SELECT f.hub FROM followed_group f WHERE f.gid = m.gid OFFSET 0) f
       UNION
      SELECT c.domain FROM unnest(own) AS o (id)
       CROSS JOIN LATERAL (SELECT DISTINCT m.gid FROM member m WHERE m.device_id = o.id OFFSET 0) m
       CROSS JOIN LATERAL (SELECT c.domain FROM peer_cursor c WHERE c.gid = m.gid OFFSET 0) c
       UNION
      SELECT provider_of(c.requester) FROM consent c WHERE c.target = name
       UNION
      SELECT provider_of(c.target) FROM consent c WHERE c.requester = name
       UNION
      SELECT provider_of(k.claimer) FROM unnest(own) AS o (id)
       CROSS JOIN LATERAL (SELECT k.claimer FROM key_package_claim k WHERE k.device_id = o.id AND k.claimer IS NOT NULL OFFSET 0) k
    ) x WHERE x.domain <> p_domain AND x.domain <> '';
    SELECT array_agg(e.domain ORDER BY e.domain) INTO told FROM peer_erasure e WHERE e.account_id = p_account;
  END IF;
  RETURN QUERY SELECT own, coalesce(told, '{}');
END $function$
;

CREATE FUNCTION delete_group(p_domain text, p_gid bigint, p_admin bigint DEFAULT NULL::bigint)
 RETURNS TABLE(outcome text, entries bigint, devices bigint[])
 LANGUAGE plpgsql
AS $function$
DECLARE
  g groups;
  counted bigint;
  counted_to bigint;
  told bigint[];
BEGIN
  SELECT x.head_seq, (SELECT count(*) FROM log l WHERE l.gid = p_gid) INTO counted_to, counted FROM groups x WHERE x.gid = p_gid AND x.deleted_at IS NULL;
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN QUERY SELECT CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END, 0::bigint, '{}'::bigint[];
    RETURN;
  END IF;
  IF p_admin IS NOT NULL AND NOT authorize_admin(p_gid, p_admin) THEN
    RETURN QUERY SELECT 'forbidden', 0::bigint, '{}'::bigint[];
    RETURN;
  END IF;
  INSERT INTO peer_deletion (domain, group_id, room_id, incarnation)
  SELECT c.domain, mls_id(g), g.room_id, g.incarnation FROM peer_cursor c WHERE c.gid = p_gid
  ON CONFLICT DO NOTHING;
  DELETE FROM peer_cursor WHERE gid = p_gid;
  UPDATE groups SET deleted_at = now(), bytes = 0, announced_group_id = NULL WHERE gid = p_gid;
  PERFORM 1 FROM member m WHERE m.gid = p_gid ORDER BY m.device_id, m.gid, m.from_seq FOR UPDATE;
  SELECT coalesce(array_agg(DISTINCT m.device_id ORDER BY m.device_id), '{}') INTO told
    FROM member m WHERE m.gid = p_gid AND m.until_seq IS NULL AND m.read_until IS NULL;
  DELETE FROM member WHERE gid = p_gid;
  PERFORM 1 FROM inbox i WHERE i.gid = p_gid ORDER BY i.device_id, i.id FOR UPDATE;
  DELETE FROM inbox WHERE gid = p_gid;
  DELETE FROM commit_claim WHERE gid = p_gid;
  DELETE FROM commit_report WHERE gid = p_gid;
  DELETE FROM pending_removal WHERE gid = p_gid;
  DELETE FROM group_policy WHERE gid = p_gid;
  DELETE FROM group_admin WHERE gid = p_gid;
  DELETE FROM group_ban WHERE gid = p_gid;
  DELETE FROM group_outcast WHERE gid = p_gid;
  DELETE FROM outcast_device WHERE gid = p_gid;
  -- The room's name stays taken, so that nobody finds strangers under it.
  INSERT INTO inbox (device_id, kind, gid)
  SELECT t.id, 'group.deleted', p_gid FROM unnest(told) AS t (id)
   WHERE NOT EXISTS (SELECT FROM device d WHERE d.id = t.id AND provider_of(d.client_uri) <> p_domain)
   ORDER BY t.id;
  INSERT INTO group_remains (gid) VALUES (p_gid);
  PERFORM delete_remains(p_gid, 1000);
  RETURN QUERY SELECT 'accepted', counted + g.head_seq - counted_to, told;
END $function$
;

CREATE FUNCTION delete_remains(p_gid bigint, p_rows integer)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
  reached bigint;
  next bigint;
  more boolean;
BEGIN
  SELECT r.after_seq INTO reached FROM group_remains r WHERE r.gid = p_gid FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  SELECT max(y.seq) INTO next FROM (
    SELECT x.seq, sum(x.size) OVER (ORDER BY x.seq) - x.size AS before FROM (
      SELECT l.seq, octet_length(l.bytes) AS size FROM log l WHERE l.gid = p_gid AND l.seq > reached ORDER BY l.seq LIMIT p_rows
    ) x
  ) y WHERE y.before < 16777216;
  IF next IS NOT NULL THEN
    DELETE FROM log l WHERE l.gid = p_gid AND l.seq > reached AND l.seq <= next;
    UPDATE group_remains r SET after_seq = next WHERE r.gid = p_gid;
  END IF;
  -- Retention deletes Welcomes as well, and in another order.
  DELETE FROM welcome w WHERE w.ctid = ANY (ARRAY(SELECT x.ctid FROM welcome x WHERE x.gid = p_gid LIMIT p_rows FOR UPDATE SKIP LOCKED));
  DELETE FROM group_info i WHERE i.ctid = ANY (ARRAY(SELECT x.ctid FROM group_info x WHERE x.gid = p_gid LIMIT p_rows));
  DELETE FROM group_tree t WHERE t.ctid = ANY (ARRAY(SELECT x.ctid FROM group_tree x WHERE x.gid = p_gid LIMIT p_rows));
  DELETE FROM group_snapshot s WHERE s.ctid = ANY (ARRAY(SELECT x.ctid FROM group_snapshot x WHERE x.gid = p_gid LIMIT p_rows));
  DELETE FROM draft_tree t WHERE t.ctid = ANY (ARRAY(SELECT x.ctid FROM draft_tree x WHERE x.gid = p_gid LIMIT p_rows));
  more := EXISTS (SELECT FROM log l WHERE l.gid = p_gid AND l.seq > next)
       OR EXISTS (SELECT FROM welcome w WHERE w.gid = p_gid)
       OR EXISTS (SELECT FROM group_info i WHERE i.gid = p_gid)
       OR EXISTS (SELECT FROM group_tree t WHERE t.gid = p_gid)
       OR EXISTS (SELECT FROM group_snapshot s WHERE s.gid = p_gid)
       OR EXISTS (SELECT FROM draft_tree t WHERE t.gid = p_gid);
  IF NOT more THEN
    DELETE FROM group_remains r WHERE r.gid = p_gid;
  END IF;
  RETURN more;
END $function$
;

CREATE FUNCTION deliver_as_chosen()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  NEW.delivery := coalesce((
    SELECT r.delivery FROM groups g CROSS JOIN LATERAL (
      SELECT x.delivery FROM room_delivery x WHERE x.device_id = NEW.device_id AND x.room_id = g.room_id OFFSET 0
    ) r WHERE g.gid = NEW.gid
  ), NEW.delivery);
  RETURN NEW;
END $function$
;

CREATE FUNCTION dismiss_admin(p_gid bigint, p_user bigint, p_admin bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF NOT authorize_admin(p_gid, p_user) THEN
    RETURN 'forbidden';
  ELSIF NOT EXISTS (SELECT FROM group_admin x WHERE x.gid = p_gid AND x.user_id = p_admin) THEN
    RETURN 'accepted';
  ELSIF NOT EXISTS (SELECT FROM group_admin x WHERE x.gid = p_gid AND x.user_id <> p_admin) THEN
    RETURN 'last-admin';
  END IF;
  UPDATE group_policy SET version = version + 1 WHERE gid = p_gid;
  DELETE FROM group_admin WHERE gid = p_gid AND user_id = p_admin;
  RETURN 'accepted';
END $function$
;

CREATE FUNCTION drop_incarnations()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM incarnation_start WHERE gid = NEW.gid;
  RETURN NULL;
END $function$
;

CREATE FUNCTION drop_old_trees(p_gid bigint, p_before bigint, p_most integer)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION drop_pending_list_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM pending_list_change p WHERE p.account_id = NEW.id;
  RETURN NULL;
END $function$
;

CREATE FUNCTION drop_replica(p_gid bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM identity_notice n WHERE n.gid = p_gid
     AND n.account_id IN (SELECT d.account_id FROM member m JOIN device d ON d.id = m.device_id WHERE m.gid = p_gid);
  DELETE FROM inbox WHERE gid = p_gid;
  DELETE FROM member WHERE gid = p_gid;
  DELETE FROM log WHERE gid = p_gid;
  DELETE FROM welcome WHERE gid = p_gid;
  DELETE FROM group_info WHERE gid = p_gid;
  DELETE FROM group_tree WHERE gid = p_gid;
  DELETE FROM group_snapshot WHERE gid = p_gid;
  DELETE FROM draft_member WHERE gid = p_gid;
  DELETE FROM draft_tree WHERE gid = p_gid;
  DELETE FROM commit_claim WHERE gid = p_gid;
  DELETE FROM commit_report WHERE gid = p_gid;
  DELETE FROM pending_removal WHERE gid = p_gid;
  DELETE FROM group_policy WHERE gid = p_gid;
  DELETE FROM group_admin WHERE gid = p_gid;
  DELETE FROM group_ban WHERE gid = p_gid;
  DELETE FROM group_outcast WHERE gid = p_gid;
  DELETE FROM outcast_device WHERE gid = p_gid;
  DELETE FROM peer_cursor WHERE gid = p_gid;
  DELETE FROM kept_head WHERE gid = p_gid;
  DELETE FROM vanished_entry WHERE gid = p_gid;
  DELETE FROM incarnation_begun WHERE gid = p_gid;
  DELETE FROM group_remains WHERE gid = p_gid;
  DELETE FROM followed_group WHERE gid = p_gid;
  UPDATE groups SET deleted_at = now(), bytes = 0 WHERE gid = p_gid;
  DELETE FROM groups WHERE gid = p_gid;
END $function$
;

CREATE FUNCTION drop_sender_keys()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM sender_key WHERE gid = NEW.gid;
  RETURN NULL;
END $function$
;

CREATE FUNCTION end_last_memberships(p_devices bigint[], p_late boolean)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
DECLARE
  open record;
  ended bigint := 0;
BEGIN
  FOR open IN
    SELECT g.gid, m.device_id, g.head_seq FROM unnest(p_devices) AS o (id)
     CROSS JOIN LATERAL (SELECT m.gid, m.device_id FROM member m WHERE m.device_id = o.id AND m.until_seq IS NULL OFFSET 0) m
     CROSS JOIN LATERAL (
       SELECT g.gid, g.head_seq FROM groups g
        WHERE g.gid = m.gid AND (
          g.deleted_at IS NOT NULL OR g.frozen IS NOT NULL AND g.frozen <> 'reset' AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid)
          OR p_late AND (g.frozen IS NOT NULL OR EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid))) OFFSET 0
     ) g ORDER BY g.gid, m.device_id
  LOOP
    PERFORM FROM groups g WHERE g.gid = open.gid FOR NO KEY UPDATE;
    UPDATE member m SET until_seq = greatest(open.head_seq, m.from_seq - 1), ended = 'revoked'
     WHERE m.device_id = open.device_id AND m.gid = open.gid AND m.until_seq IS NULL;
    DELETE FROM pending_removal r WHERE r.gid = open.gid AND r.device_id = open.device_id;
    ended := ended + 1;
  END LOOP;
  RETURN ended;
END $function$
;

CREATE FUNCTION enough_reports(p_gid bigint, p_user bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (
    SELECT FROM commit_report own
     WHERE own.gid = p_gid AND own.user_id = p_user AND report_counts(p_gid => p_gid, p_seq => own.seq, p_user => p_user)
       AND reports_needed(p_gid => p_gid, p_seq => own.seq) <= (
         SELECT count(*) FROM commit_report r WHERE r.gid = p_gid AND r.seq = own.seq AND report_counts(p_gid => p_gid, p_seq => r.seq, p_user => r.user_id)
       )
  )
$function$
;

CREATE FUNCTION finish_erasure(p_account bigint, p_stand_in text, p_after bigint, p_keep boolean)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  it account;
  before bigint;
  own bigint[];
BEGIN
  SELECT * INTO it FROM account a WHERE a.id = p_account AND a.deleted_at IS NOT NULL AND a.erased_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    RETURN 'gone';
  END IF;
  own := ARRAY(SELECT d.id FROM device d WHERE d.account_id = p_account ORDER BY d.id + 0);
  IF it.deleted_at > now() - p_after * interval '1 millisecond' OR EXISTS (
    SELECT FROM unnest(own) AS o (id) CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = o.id LIMIT 1 OFFSET 0) m
  ) THEN
    RETURN 'waits';
  END IF;
  DELETE FROM signature_key k WHERE k.device_id = ANY (own);
  DELETE FROM device_certificate c WHERE c.account_id = p_account;
  DELETE FROM device_list_entry e WHERE e.account_id = p_account;
  DELETE FROM device_list l WHERE l.account_id = p_account;
  -- Of another provider's user: may have been written again since the slices went.
  DELETE FROM foreign_device_list f WHERE f.account_id = p_account;
  DELETE FROM foreign_user f WHERE f.account_id = p_account;
  DELETE FROM foreign_signature_key k WHERE k.device_id = ANY (own);
  DELETE FROM device d WHERE d.account_id = p_account;
  -- An earlier account of this name was erased as well: what stayed of it is of the name.
  SELECT a.id INTO before FROM account a WHERE a.user_uri = p_stand_in;
  IF FOUND THEN
    PERFORM inherit_name(before, p_account);
  END IF;
  UPDATE account a SET user_uri = p_stand_in, created_at = a.deleted_at, erased_at = now() WHERE a.id = p_account;
  DELETE FROM account a WHERE a.id = p_account AND NOT p_keep AND NOT EXISTS (SELECT FROM group_ban b WHERE b.user_id = p_account);
  RETURN 'erased';
END $function$
;

CREATE FUNCTION follow_group(p_hub text, p_mls_group_id bytea, p_room text, p_found boolean, p_dialect text DEFAULT 'profile'::text)
 RETURNS bytea
 LANGUAGE plpgsql
AS $function$
DECLARE
  known followed_group;
  address bytea;
BEGIN
  PERFORM lock_group_id(p_mls_group_id);
  IF p_found THEN
    DELETE FROM followed_group f
     WHERE f.room_id = p_room AND f.gid IS NULL AND f.deleted_at IS NULL AND coalesce(f.mls_group_id, f.group_id) <> p_mls_group_id;
  END IF;
  SELECT * INTO known FROM followed_group f WHERE f.hub = p_hub AND coalesce(f.mls_group_id, f.group_id) = p_mls_group_id;
  IF FOUND AND (known.room_id <> p_room OR known.dialect <> p_dialect) AND (known.gid IS NOT NULL OR known.deleted_at IS NOT NULL) THEN
    RETURN NULL;
  ELSIF FOUND THEN
    UPDATE followed_group SET room_id = p_room, dialect = p_dialect, first_seen_at = now() WHERE group_id = known.group_id AND gid IS NULL AND deleted_at IS NULL;
    RETURN known.group_id;
  END IF;
  address := free_address(p_hub, p_mls_group_id, p_found);
  INSERT INTO followed_group (group_id, mls_group_id, hub, room_id, dialect)
  VALUES (address, nullif(p_mls_group_id, address), p_hub, p_room, p_dialect);
  RETURN address;
END $function$
;

CREATE FUNCTION follow_stop(p_gid bigint, p_frozen text, p_successor bytea)
 RETURNS bigint[]
 LANGUAGE plpgsql
AS $function$
DECLARE
  old groups;
BEGIN
  UPDATE groups SET frozen = p_frozen, successor_group_id = p_successor WHERE gid = p_gid RETURNING * INTO old;
  PERFORM tell_frozen(old);
  RETURN ARRAY(SELECT i.device_id FROM inbox i WHERE i.gid = p_gid AND i.kind = 'group.frozen');
END $function$
;

CREATE FUNCTION foreign_device_is_tied(p_device bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (SELECT FROM member m WHERE m.device_id = p_device)
      OR EXISTS (SELECT FROM key_package_claim c WHERE c.device_id = p_device AND c.expires_at > now())
      OR EXISTS (SELECT FROM outcast_device o WHERE o.device_id = p_device)
      OR EXISTS (SELECT FROM inbox i WHERE i.device_id = p_device)
$function$
;

CREATE FUNCTION foreign_user_is_tied(p_account bigint, p_user text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (SELECT FROM consent c WHERE c.target = p_user)
      OR EXISTS (SELECT FROM consent c WHERE c.requester = p_user)
      OR EXISTS (SELECT FROM user_block b WHERE b.blocked = p_user)
      OR EXISTS (SELECT FROM abuse_report r WHERE r.reporter = p_user)
      OR EXISTS (SELECT FROM abuse_report r WHERE r.alleged_abuser = p_user)
      OR EXISTS (SELECT FROM group_admin x WHERE x.user_id = p_account)
      OR EXISTS (SELECT FROM group_ban x WHERE x.user_id = p_account)
      OR EXISTS (SELECT FROM group_outcast x WHERE x.user_id = p_account)
      OR EXISTS (SELECT FROM foreign_device_list l WHERE l.account_id = p_account)
      OR EXISTS (SELECT FROM identity_notice n WHERE n.account_id = p_account)
      OR EXISTS (SELECT FROM groups g WHERE g.payer = p_account AND g.payer IS NOT NULL AND g.deleted_at IS NULL)
$function$
;

CREATE FUNCTION forget_replica(p_gid bigint, p_kept interval, p_read interval)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
  f followed_group;
BEGIN
  SELECT * INTO f FROM followed_group x WHERE x.gid = p_gid;
  IF NOT FOUND OR NOT try_lock_group_id(coalesce(f.mls_group_id, f.group_id)) THEN
    RETURN false;
  END IF;
  PERFORM FROM followed_group x WHERE x.gid = p_gid FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM FROM groups g WHERE g.gid = p_gid AND g.deleted_at IS NULL FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM FROM member m WHERE m.gid = p_gid ORDER BY m.device_id, m.gid, m.from_seq FOR UPDATE;
  PERFORM FROM inbox i WHERE i.gid = p_gid ORDER BY i.device_id, i.id FOR UPDATE;
  -- A statement of its own: it sees what was written before the locks.
  IF NOT may_be_forgotten(p_gid, p_kept, p_read) THEN
    RETURN false;
  END IF;
  PERFORM leave_room(p_gid, f.room_id);
  PERFORM drop_replica(p_gid);
  RETURN true;
END $function$
;

CREATE FUNCTION free_address(p_hub text, p_mls_group_id bytea, p_found boolean)
 RETURNS bytea
 LANGUAGE plpgsql
AS $function$
DECLARE
  address bytea := p_mls_group_id;
BEGIN
  FOR attempt IN 1 .. 100 LOOP
    PERFORM lock_group_id(address);
    IF NOT p_found THEN
      DELETE FROM followed_group f
       WHERE f.group_id = address AND f.gid IS NULL AND f.deleted_at IS NULL AND f.first_seen_at < now() - interval '10 minutes';
    END IF;
    IF NOT EXISTS (SELECT FROM groups g WHERE g.group_id = address) AND NOT EXISTS (SELECT FROM followed_group f WHERE f.group_id = address)
       AND (p_hub IS NULL OR NOT EXISTS (SELECT FROM groups g WHERE g.announced_group_id = address)) THEN
      RETURN address;
    END IF;
    address := sha256(
      convert_to('microchat group address', 'UTF8') || convert_to(coalesce(p_hub, ''), 'UTF8') || decode('00', 'hex') || p_mls_group_id || int4send(attempt)
    );
  END LOOP;
  RAISE EXCEPTION 'no address is free for a group';
END $function$
;

CREATE FUNCTION freeze_group(p_gid bigint, p_reason text, p_admin bigint DEFAULT NULL::bigint, p_user bigint DEFAULT NULL::bigint, p_grace integer DEFAULT 0)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  g groups;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN 'unknown';
  ELSIF g.deleted_at IS NOT NULL THEN
    RETURN 'deleted';
  ELSIF g.frozen IS NOT NULL AND (p_admin IS NULL OR g.frozen = 'reset' OR g.successor_group_id IS NOT NULL) THEN
    RETURN 'frozen';
  ELSIF p_admin IS NOT NULL AND NOT authorize_admin(p_gid, p_admin) THEN
    RETURN 'forbidden';
  ELSIF p_admin IS NULL AND p_user IS NOT NULL AND NOT enough_reports(p_gid, p_user) THEN
    RETURN 'few-reports';
  END IF;
  UPDATE groups
     SET frozen = p_reason, frozen_at = now(), frozen_by = coalesce(p_admin, p_user), reserved_for = CASE WHEN p_admin IS NULL THEN p_user END,
         reserved_until = now() + make_interval(secs => p_grace),
         announced_group_id = NULL
   WHERE gid = p_gid;
  PERFORM tell_frozen(g);
  RETURN 'accepted';
END $function$
;

CREATE FUNCTION group_id_taken(p_group_id bytea)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT own_group(p_group_id) IS NOT NULL OR EXISTS (SELECT FROM groups g WHERE g.announced_group_id = p_group_id)
$function$
;

CREATE FUNCTION has_taken_up(m member)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
  IF m.until_seq IS NOT NULL OR m.read_until IS NOT NULL OR m.delivery NOT IN ('all', 'muted')
     OR EXISTS (SELECT FROM device d WHERE d.id = m.device_id AND d.revoked_at IS NOT NULL) THEN
    RETURN false;
  END IF;
  RETURN m.acked >= m.from_seq OR NOT m.resync AND NOT EXISTS (
    SELECT FROM inbox i WHERE i.gid = m.gid AND i.seq = m.from_seq - 1 AND i.device_id = m.device_id AND i.kind = 'welcome'
  );
END $function$
;

CREATE FUNCTION held_bytes(p_gid bigint)
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $function$
  SELECT coalesce((SELECT sum(octet_length(bytes)) FROM log WHERE gid = p_gid), 0)::bigint
       + coalesce((SELECT sum(octet_length(bytes)) FROM welcome WHERE gid = p_gid), 0)
       + coalesce((SELECT sum(octet_length(bytes)) FROM group_info WHERE gid = p_gid), 0)
       + coalesce((SELECT sum(octet_length(bytes)) FROM group_tree WHERE gid = p_gid), 0)
       + coalesce((SELECT sum(octet_length(bytes)) FROM group_snapshot WHERE gid = p_gid), 0)
       + coalesce((SELECT sum(octet_length(bytes)) FROM draft_tree WHERE gid = p_gid), 0)
$function$
;

CREATE FUNCTION hold_invitations(p_gid bigint, p_devices bigint[], p_by bigint[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  added record;
BEGIN
  FOR added IN
    SELECT x.device_id, x.by_user FROM unnest(p_devices, p_by) AS x (device_id, by_user)
     WHERE EXISTS (SELECT FROM device d JOIN asking_account a ON a.account_id = d.account_id WHERE d.id = x.device_id OFFSET 0) ORDER BY x.device_id
  LOOP
    UPDATE member m SET delivery = 'invited'
     WHERE m.device_id = added.device_id AND m.gid = p_gid AND m.until_seq IS NULL AND m.delivery = 'all'
       AND awaits_word(p_gid, added.device_id, (SELECT a.user_uri FROM account a WHERE a.id = added.by_user));
  END LOOP;
END $function$
;

CREATE FUNCTION inherit_name(p_erased bigint, p_heir bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO group_ban (gid, user_id) SELECT b.gid, p_heir FROM group_ban b WHERE b.user_id = p_erased ORDER BY b.gid ON CONFLICT DO NOTHING;
  DELETE FROM group_ban b WHERE b.user_id = p_erased;
  UPDATE groups g SET payer = NULL WHERE g.payer = p_erased AND g.payer IS NOT NULL AND g.deleted_at IS NULL;
  DELETE FROM peer_erasure e WHERE e.account_id = p_erased AND e.receipt IS NOT NULL;
  UPDATE peer_erasure e SET account_id = p_heir WHERE e.account_id = p_erased;
  DELETE FROM account a WHERE a.id = p_erased AND a.erased_at IS NOT NULL;
END $function$
;

CREATE FUNCTION is_acquainted(p_gid bigint, p_user bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (
           SELECT FROM device d CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = p_gid LIMIT 1 OFFSET 0) m WHERE d.account_id = p_user
         ) OR EXISTS (SELECT FROM group_admin a WHERE a.gid = p_gid AND a.user_id = p_user)
           OR EXISTS (SELECT FROM group_outcast o WHERE o.gid = p_gid AND o.user_id = p_user)
$function$
;

CREATE FUNCTION is_reinitialized(p_gid bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (SELECT FROM commit_claim c WHERE c.gid = p_gid AND c.reinit)
$function$
;

CREATE FUNCTION judge_replica_bytes(p_gid bigint, p_hub text, p_device bigint, p_bytes bigint, p_entries integer, p_row integer, p_first boolean, p_welcomed bigint[], p_most bigint[])
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  of_hub peer_storage;
  of_user peer_user_storage;
  own replica_storage;
  g groups;
  is_present boolean;
  most bigint;
  held bigint;
BEGIN
  INSERT INTO peer_storage (domain) SELECT p_hub WHERE NOT EXISTS (SELECT FROM peer_storage s WHERE s.domain = p_hub) ON CONFLICT DO NOTHING;
  SELECT * INTO of_hub FROM peer_storage s WHERE s.domain = p_hub FOR NO KEY UPDATE;
  SELECT * INTO own FROM replica_storage r WHERE r.gid = p_gid;
  IF NOT FOUND THEN
    INSERT INTO replica_storage (gid, hub, account_id)
    VALUES (p_gid, p_hub, (SELECT d.account_id FROM device d WHERE d.id = p_device)) RETURNING * INTO own;
    PERFORM add_peer_bytes(own.hub, own.account_id, 0, 0, 1);
    SELECT * INTO of_hub FROM peer_storage s WHERE s.domain = p_hub;
  ELSIF p_device IS NOT NULL AND own.stage = 0 THEN
    -- This device has its time, too, to take the group up: see replicas.sql.
    UPDATE replica_storage r SET invited_at = now() WHERE r.gid = p_gid;
  END IF;
  SELECT * INTO of_user FROM peer_user_storage s WHERE s.domain = p_hub AND s.account_id = own.account_id;
  SELECT * INTO g FROM groups WHERE gid = p_gid;
  is_present := p_device IS NOT NULL OR EXISTS (SELECT FROM member m WHERE m.gid = p_gid AND m.until_seq IS NULL);

  FOR attempt IN 1 .. 2 LOOP
    most := CASE WHEN own.stage = 0 OR NOT is_present THEN p_most[1] WHEN own.stage = 1 THEN p_most[2] ELSE p_most[3] END;
    held := g.bytes + p_bytes + CASE WHEN own.stage = 0 THEN p_row * (g.head_seq - g.floor_seq + p_entries) ELSE 0 END;
    EXIT WHEN held <= most AND (own.stage > 0 OR of_user.new_bytes + p_bytes <= p_most[4] AND of_hub.new_bytes + p_bytes <= p_most[5]);
    EXIT WHEN own.stage = 2 OR NOT is_present OR seen_stage(p_gid) <= own.stage;
    -- One step at a time: who has read a megabyte has not read half of 64.
    PERFORM raise_stage(p_gid, (own.stage + 1)::smallint);
    SELECT * INTO own FROM replica_storage r WHERE r.gid = p_gid;
  END LOOP;

  RETURN CASE
    WHEN held > most AND NOT (p_first AND own.stage = 0) THEN
      CASE WHEN own.stage = 0 OR NOT is_present THEN 'peer-new-group-bytes' WHEN own.stage = 1 THEN 'peer-joined-group-bytes' ELSE 'group-storage' END
    WHEN own.stage = 0 AND of_user.new_groups > p_most[8] THEN 'peer-new-groups-of-user'
    WHEN own.stage = 0 AND of_hub.new_groups > p_most[9] THEN 'peer-new-groups'
    WHEN own.stage = 0 AND of_user.new_bytes + p_bytes > p_most[4] THEN 'peer-new-bytes-of-user'
    WHEN own.stage = 0 AND of_hub.new_bytes + p_bytes > p_most[5] THEN 'peer-new-bytes'
    WHEN of_user.bytes + p_bytes > p_most[6] THEN 'peer-bytes-of-user'
    WHEN of_hub.bytes + p_bytes > p_most[7] THEN 'peer-bytes'
    WHEN too_many_welcomes(p_hub, p_welcomed, p_most[10]) THEN 'peer-welcomes-of-user'
  END;
END $function$
;

CREATE FUNCTION judge_storage(g groups, p_bytes bigint, p_max_group bigint, p_max_account bigint)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
  IF g.bytes + p_bytes > p_max_group THEN
    RETURN 'group-full';
  ELSIF p_max_account IS NOT NULL
        AND (SELECT sum(x.bytes) FROM groups x WHERE x.payer = g.payer AND x.payer IS NOT NULL AND x.deleted_at IS NULL) + p_bytes > p_max_account THEN
    RETURN 'account-full';
  END IF;
  RETURN NULL;
END $function$
;

CREATE FUNCTION judge_submission(g groups, p_incarnation integer, p_epoch bigint, p_hash bytea, p_device bigint, p_member boolean, p_made_in integer DEFAULT NULL::integer)
 RETURNS submission
 LANGUAGE plpgsql
 STABLE
AS $function$
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
END $function$
;

CREATE FUNCTION judge_successor(old groups, p_group_id bytea, p_device bigint, p_user bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  is_admin boolean := authorize_admin(old.gid, p_user);
BEGIN
  RETURN CASE
    WHEN old.deleted_at IS NOT NULL OR old.frozen IS NULL THEN 'predecessor'
    WHEN NOT is_admin AND NOT EXISTS (
      SELECT FROM member m WHERE m.device_id = p_device AND m.gid = old.gid AND m.until_seq IS NULL AND m.read_until IS NULL
    ) THEN 'predecessor'
    WHEN EXISTS (SELECT FROM group_ban b WHERE b.gid = old.gid AND b.user_id = p_user) THEN 'banned'
    WHEN old.successor_group_id <> p_group_id THEN 'successor-taken'
    WHEN old.successor_group_id = p_group_id THEN NULL
    WHEN NOT is_admin AND old.reserved_until > now() AND old.reserved_for IS DISTINCT FROM p_user THEN 'reserved'
    WHEN old.announced_group_id <> p_group_id THEN 'announced'
  END;
END $function$
;

CREATE FUNCTION keep_blocked_out()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF NOT EXISTS (SELECT FROM member m WHERE m.device_id = NEW.device_id AND m.gid = NEW.gid AND m.until_seq IS NULL
         AND (m.delivery = 'blocked' OR m.delivery = 'invited' AND NEW.kind <> 'welcome')) THEN
    RETURN NEW;
  END IF;
  IF NEW.kind = 'welcome' THEN
    UPDATE member m SET resync = true WHERE m.device_id = NEW.device_id AND m.gid = NEW.gid AND m.from_seq = NEW.seq + 1;
  END IF;
  RETURN NULL;
END $function$
;

CREATE FUNCTION keep_token_answer(p_issuer text, p_key bytea, p_holder text, p_request bytea, p_answer bytea, p_keep integer)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION key_package_fits(k key_package, p_keys bytea[], p_extensions integer[], p_proposals integer[], p_credentials integer[])
 RETURNS boolean
 LANGUAGE sql
AS $function$
  SELECT k.expires_at > clock_timestamp() AND k.signature_key = ANY (p_keys)
     AND k.extensions @> p_extensions AND k.proposals @> p_proposals AND k.credentials @> p_credentials
$function$
;

CREATE FUNCTION key_packages_low(p_device bigint, p_suite integer, p_low integer)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION key_packages_unused(p_refs bytea[], p_room text, p_devices bigint[] DEFAULT NULL::bigint[])
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION leave_group(p_gid bigint, p_device bigint, p_replica boolean)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  g groups;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END;
  ELSIF g.frozen IS NOT NULL AND NOT p_replica THEN
    RETURN 'frozen';
  END IF;
  UPDATE member m SET read_until = coalesce(m.read_until, CASE WHEN EXISTS (
           SELECT FROM inbox i WHERE i.device_id = p_device AND i.kind = 'welcome' AND i.gid = p_gid AND i.seq = m.from_seq - 1
         ) THEN m.from_seq - 1 ELSE greatest(g.head_seq, m.from_seq - 1) END)
   WHERE m.device_id = p_device AND m.gid = p_gid AND m.until_seq IS NULL;
  IF NOT FOUND THEN
    RETURN 'not-a-member';
  END IF;
  DELETE FROM inbox WHERE device_id = p_device AND gid = p_gid;
  DELETE FROM accepted_room r USING device d WHERE d.id = p_device AND r.account_id = d.account_id AND r.room_id = g.room_id;
  IF NOT p_replica THEN
    INSERT INTO pending_removal (gid, device_id, reason) VALUES (p_gid, p_device, 'leave') ON CONFLICT DO NOTHING;
  END IF;
  RETURN 'accepted';
END $function$
;

CREATE FUNCTION leave_room(p_gid bigint, p_room text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE room r SET current_gid = x.gid FROM (
    SELECT o.gid FROM followed_group o WHERE o.room_id = p_room AND o.gid IS NOT NULL AND o.gid <> p_gid ORDER BY o.deleted_at IS NOT NULL, o.gid DESC LIMIT 1
  ) x WHERE r.room_id = p_room AND r.current_gid = p_gid;
  DELETE FROM room r WHERE r.room_id = p_room AND r.current_gid = p_gid;
  PERFORM FROM handed_out_key_package h WHERE h.room_id = p_room AND h.used_gid = p_gid ORDER BY h.ref FOR UPDATE;
  DELETE FROM handed_out_key_package h WHERE h.room_id = p_room AND h.used_gid = p_gid AND h.further = 0;
  UPDATE handed_out_key_package h SET used_gid = NULL, used_seq = NULL, used_hash = NULL, further = h.further - 1
   WHERE h.room_id = p_room AND h.used_gid = p_gid;
  DELETE FROM passed_commit p WHERE p.room_id = p_room AND p.used_gid = p_gid;
END $function$
;

CREATE FUNCTION leaves_enough(p_device bigint, p_suites integer[], p_provider text, p_share integer)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
  held integer;
  remaining integer;
BEGIN
  SELECT count(*) INTO held FROM key_package_claim c
   WHERE c.device_id = p_device AND c.cipher_suite = ANY (p_suites) AND NOT c.used AND NOT c.last_resort AND provider_of(c.claimer) = p_provider;
  SELECT count(*) INTO remaining FROM key_package k
   WHERE k.device_id = p_device AND k.cipher_suite = ANY (p_suites) AND NOT k.last_resort AND k.expires_at > clock_timestamp();
  RETURN held < greatest(4, (held + remaining) / p_share);
END $function$
;

CREATE FUNCTION lock_group_id(p_group_id bytea)
 RETURNS void
 LANGUAGE sql
AS $function$
  SELECT pg_advisory_xact_lock(hashtextextended(encode(p_group_id, 'hex'), 17))
$function$
;

CREATE FUNCTION lock_groups(p_gid bigint[], p_wait_ms integer)
 RETURNS bigint[]
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF p_wait_ms = 0 THEN
    RETURN ARRAY(SELECT g.gid FROM groups g WHERE g.gid = ANY (p_gid) ORDER BY g.gid FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
  IF p_wait_ms IS NOT NULL THEN
    PERFORM set_config('lock_timeout', p_wait_ms || 'ms', true);
  END IF;
  RETURN ARRAY(SELECT g.gid FROM groups g WHERE g.gid = ANY (p_gid) ORDER BY g.gid FOR NO KEY UPDATE);
END $function$
;

CREATE FUNCTION log_chain(previous bytea, seq bigint, kind text, epoch bigint, hash bytea)
 RETURNS bytea
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
AS $function$
BEGIN
  RETURN sha256(previous || int8send(seq) || convert_to(kind, 'UTF8') || int8send(epoch) || hash);
END $function$
;

CREATE FUNCTION log_chain_start(group_id bytea, incarnation integer)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT sha256(convert_to('microchat log chain', 'UTF8') || group_id || int4send(incarnation))
$function$
;

CREATE FUNCTION log_chain_step(state bytea, previous bytea, seq bigint, kind text, epoch bigint, hash bytea)
 RETURNS bytea
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
AS $function$
BEGIN
  RETURN sha256(coalesce(state, previous) || int8send(seq) || convert_to(kind, 'UTF8') || int8send(epoch) || hash);
END $function$
;

CREATE FUNCTION make_admin(p_gid bigint, p_user bigint, p_admin bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF NOT authorize_admin(p_gid, p_user) THEN
    RETURN 'forbidden';
  ELSIF presence_in(p_gid, p_admin) <> 'present' THEN
    RETURN 'absent';
  ELSIF EXISTS (SELECT FROM group_ban b WHERE b.gid = p_gid AND b.user_id = p_admin) THEN
    RETURN 'banned';
  END IF;
  UPDATE group_policy SET version = version + 1 WHERE gid = p_gid;
  INSERT INTO group_admin (gid, user_id) VALUES (p_gid, p_admin) ON CONFLICT DO NOTHING;
  RETURN 'accepted';
END $function$
;

CREATE FUNCTION may_be_forgotten(p_gid bigint, p_kept interval, p_read interval)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
DECLARE
  own replica_storage;
BEGIN
  SELECT * INTO own FROM replica_storage r WHERE r.gid = p_gid AND r.stage = 0;
  IF NOT FOUND OR NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = p_gid AND f.stopped IS NULL) THEN
    RETURN false;
  END IF;
  RETURN NOT EXISTS (SELECT FROM member m WHERE m.gid = p_gid AND needs_replica(m, own.invited_at, p_kept, p_read));
END $function$
;

CREATE FUNCTION may_join_now(p_gid bigint, p_device bigint, p_vouchers text[])
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT CASE
    WHEN p_vouchers IS NULL AND NOT EXISTS (SELECT FROM group_policy p WHERE p.gid = p_gid AND p.external_join = 'same-user') THEN true
    WHEN p_vouchers IS NULL THEN EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = p_gid AND m.until_seq IS NULL)
    ELSE EXISTS (
      SELECT FROM unnest(p_vouchers) AS x (client)
       CROSS JOIN LATERAL (SELECT d.id FROM device d WHERE d.client_uri = x.client OFFSET 0) d
       CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = p_gid AND m.until_seq IS NULL OFFSET 0) m
    )
  END
$function$
;

CREATE FUNCTION mls_id(g groups)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT coalesce(g.mls_group_id, g.group_id)
$function$
;

CREATE FUNCTION needs_replica(m member, p_invited_at timestamp with time zone, p_kept interval, p_read interval)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
DECLARE
  is_in boolean := m.until_seq IS NULL AND m.read_until IS NULL;
  is_invited boolean := p_invited_at > now() - p_kept;
BEGIN
  IF has_taken_up(m) THEN
    RETURN true;
  ELSIF is_in AND (m.delivery <> 'blocked' OR NOT is_invited) THEN
    RETURN is_invited;
  END IF;
  -- Times rise with seq: the last entry that it may read is the youngest.
  RETURN coalesce((
    SELECT l.accepted_at > now() - p_read FROM log l
     WHERE l.gid = m.gid AND l.seq >= m.from_seq AND l.seq <= coalesce(least(m.until_seq, m.read_until), 9223372036854775807) ORDER BY l.seq DESC LIMIT 1
  ), false);
END $function$
;

CREATE FUNCTION note_identity_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO identity_notice (account_id, gid)
  SELECT NEW.account_id, m.gid FROM (SELECT d.id FROM device d WHERE d.account_id = NEW.account_id OFFSET 0) d
   CROSS JOIN LATERAL (SELECT m.gid FROM member m WHERE m.device_id = d.id AND m.until_seq IS NULL OFFSET 0) m
   GROUP BY m.gid ORDER BY m.gid
  ON CONFLICT (account_id, gid) DO UPDATE SET after_device = 0;
  RETURN NULL;
END $function$
;

CREATE FUNCTION note_removal(p_domain text, p_gid bigint, p_device bigint, p_reason text)
 RETURNS bigint[]
 LANGUAGE plpgsql
AS $function$
DECLARE
  at_epoch bigint;
  devices bigint[];
BEGIN
  SELECT g.epoch INTO at_epoch FROM groups g WHERE g.gid = p_gid AND g.deleted_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND OR NOT EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = p_gid AND m.until_seq IS NULL) THEN
    RETURN '{}';
  END IF;
  INSERT INTO pending_removal AS r (gid, device_id, leaf_index, reason, proposed_epoch)
  VALUES (p_gid, p_device, NULL, p_reason, at_epoch)
  ON CONFLICT (gid, device_id) DO UPDATE SET proposed_epoch = excluded.proposed_epoch,
    reason = CASE WHEN r.reason = 'revoke' THEN r.reason ELSE excluded.reason END;
  UPDATE pending_removal SET told = true WHERE gid = p_gid AND device_id = p_device AND NOT told;
  IF NOT FOUND THEN
    RETURN '{}';
  END IF;
  SELECT coalesce(array_agg(m.device_id ORDER BY m.device_id), '{}') INTO devices
    FROM member m
   WHERE m.gid = p_gid AND m.until_seq IS NULL AND m.read_until IS NULL AND m.device_id <> p_device
     AND NOT EXISTS (SELECT FROM device d WHERE d.id = m.device_id AND provider_of(d.client_uri) <> p_domain);
  -- One that waits is replaced, so that a device has one for a group at most; under a new id it is sent again.
  PERFORM 1 FROM inbox i WHERE i.gid = p_gid AND i.seq IS NULL AND i.kind = 'group.leaving' ORDER BY i.device_id, i.id FOR UPDATE;
  DELETE FROM inbox WHERE gid = p_gid AND seq IS NULL AND kind = 'group.leaving' AND device_id = ANY (devices);
  INSERT INTO inbox (device_id, kind, gid) SELECT t.id, 'group.leaving', p_gid FROM unnest(devices) AS t (id) ORDER BY t.id;
  RETURN devices;
END $function$
;

CREATE FUNCTION own_group(p_mls_group_id bytea)
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $function$
  SELECT x.gid FROM (
    SELECT g.gid FROM groups g WHERE g.group_id = p_mls_group_id AND g.mls_group_id IS NULL
     UNION ALL
    SELECT g.gid FROM groups g WHERE g.mls_group_id = p_mls_group_id
  ) x WHERE NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = x.gid OFFSET 0) LIMIT 1
$function$
;

CREATE FUNCTION policy_is(p_gid bigint, p_version bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  PERFORM FROM group_policy x WHERE x.gid = p_gid AND x.version = p_version FOR SHARE;
  RETURN FOUND;
END $function$
;

CREATE FUNCTION presence_in(p_gid bigint, p_user bigint)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  SELECT CASE WHEN bool_or(m.until_seq IS NULL) THEN 'present' WHEN count(*) > 0 THEN 'was' ELSE 'never' END
    FROM device d CROSS JOIN LATERAL (SELECT m.until_seq FROM member m WHERE m.device_id = d.id AND m.gid = p_gid OFFSET 0) m
   WHERE d.account_id = p_user
$function$
;

CREATE FUNCTION provider_of(uri text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT split_part(uri, '/', 3)
$function$
;

CREATE FUNCTION publish_sender_key(p_gid bigint, p_device bigint, p_user bigint, p_epoch bigint, p_key bytea, p_max_past bigint)
 RETURNS TABLE(outcome text, current_epoch bigint, head_seq bigint, incarnation integer)
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION purge_foreign_users(p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
  due record;
  gone bigint[];
  asked integer := 0;
BEGIN
  FOR due IN
    SELECT f.account_id, a.user_uri FROM foreign_user f JOIN account a ON a.id = f.account_id
     WHERE f.look_at < now() AND a.deleted_at IS NULL ORDER BY f.look_at LIMIT p_limit FOR UPDATE OF f, a SKIP LOCKED
  LOOP
    asked := asked + 1;
    gone := ARRAY(SELECT d.id FROM device d WHERE d.account_id = due.account_id AND NOT foreign_device_is_tied(d.id) ORDER BY d.id);
    DELETE FROM foreign_signature_key k WHERE k.device_id = ANY (gone);
    DELETE FROM key_package_claim c WHERE c.device_id = ANY (gone);
    DELETE FROM device d WHERE d.id = ANY (gone);
    IF EXISTS (SELECT FROM device d WHERE d.account_id = due.account_id) OR foreign_user_is_tied(due.account_id, due.user_uri) THEN
      UPDATE foreign_user f SET look_at = now() + interval '1 hour', devices = (SELECT count(*) FROM device d WHERE d.account_id = f.account_id)
       WHERE f.account_id = due.account_id;
    ELSE
      DELETE FROM foreign_user f WHERE f.account_id = due.account_id;
      DELETE FROM account a WHERE a.id = due.account_id;
    END IF;
  END LOOP;
  RETURN asked;
END $function$
;

CREATE FUNCTION purge_key_packages(p_limit integer, p_low integer)
 RETURNS TABLE(purged bigint, told bigint[])
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION queue_removals(p_devices bigint[])
 RETURNS void
 LANGUAGE sql
AS $function$
  INSERT INTO pending_removal AS r (gid, device_id, reason)
  SELECT m.gid, m.device_id, 'revoke'
    FROM member m JOIN groups g USING (gid)
   WHERE m.device_id = ANY (p_devices) AND m.until_seq IS NULL AND g.deleted_at IS NULL AND g.frozen IS NULL
     AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = m.gid)
   ORDER BY m.gid, m.device_id
  ON CONFLICT (gid, device_id) DO UPDATE SET reason = 'revoke'
$function$
;

CREATE FUNCTION queue_removals_of_account()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  PERFORM queue_removals(ARRAY(SELECT d.id FROM device d WHERE d.account_id = NEW.id));
  RETURN NULL;
END $function$
;

CREATE FUNCTION queue_removals_of_device()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  PERFORM queue_removals(ARRAY[NEW.id]);
  RETURN NULL;
END $function$
;

CREATE FUNCTION raise_stage(p_gid bigint, p_stage smallint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
  own replica_storage;
BEGIN
  SELECT * INTO own FROM replica_storage r WHERE r.gid = p_gid;
  IF NOT FOUND OR own.stage >= p_stage THEN
    RETURN false;
  END IF;
  UPDATE replica_storage r SET stage = p_stage WHERE r.gid = p_gid;
  IF own.stage = 0 THEN
    PERFORM add_peer_bytes(own.hub, own.account_id, 0, (SELECT -g.bytes FROM groups g WHERE g.gid = p_gid), -1);
  END IF;
  RETURN true;
END $function$
;

CREATE FUNCTION record_incarnation()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO incarnation_start (gid, incarnation, from_seq) VALUES (NEW.gid, NEW.incarnation, NEW.chain_from_seq) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $function$
;

CREATE FUNCTION record_membership_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO device_news (device_id) VALUES (NEW.device_id);
  RETURN NULL;
END $function$
;

CREATE FUNCTION record_membership_news()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO device_news (device_id) SELECT DISTINCT device_id FROM changed;
  RETURN NULL;
END $function$
;

CREATE FUNCTION recovered(p_above integer DEFAULT NULL::integer)
 RETURNS TABLE(bumped bigint, incarnation integer)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
  fresh integer := floor(extract(epoch FROM clock_timestamp() - timestamptz '2026-01-01 00:00:00+00'))::integer + 1;
  highest integer;
  newest timestamptz;
  moved bigint;
BEGIN
  PERFORM 1 FROM groups ORDER BY gid FOR NO KEY UPDATE;
  SELECT max(g.incarnation) INTO highest FROM groups g WHERE NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid);
  SELECT max(l.accepted_at) INTO newest FROM groups g
   CROSS JOIN LATERAL (SELECT x.accepted_at FROM log x WHERE x.gid = g.gid AND x.seq = g.head_seq OFFSET 0) l
   WHERE NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid);
  IF p_above IS NOT NULL THEN
    fresh := greatest(fresh, p_above + 1, highest + 1);
  ELSIF fresh <= highest OR newest > clock_timestamp() + interval '1 second' THEN
    RAISE EXCEPTION 'the clock of PostgreSQL is behind what the database has seen'
      USING HINT = 'Set the clock, or name the greatest incarnation that was ever in use: cli recovered --above N';
  END IF;
  UPDATE groups g
     SET incarnation = fresh, chain_from_seq = head_seq, head_chain = log_chain_start(coalesce(mls_group_id, group_id), fresh),
         reused_above = least(reused_above, epoch)
   WHERE deleted_at IS NULL AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid);
  GET DIAGNOSTICS moved = ROW_COUNT;
  -- A peer may have stored more than what is left here.
  UPDATE peer_cursor c SET acked = least(c.acked, g.head_seq) FROM groups g WHERE g.gid = c.gid;
  INSERT INTO inbox (device_id, kind, gid)
  SELECT m.device_id, 'resync', m.gid FROM member m JOIN groups g USING (gid)
   WHERE m.until_seq IS NULL AND m.read_until IS NULL AND g.deleted_at IS NULL AND m.acked < 9223372036854775807 ORDER BY m.device_id, m.gid;
  -- Some of them were handed out after the backup was taken.
  DELETE FROM key_package;
  PERFORM pg_sleep(greatest(0, extract(epoch FROM timestamptz '2026-01-01 00:00:00+00' + fresh * interval '1 second' - clock_timestamp())))
    WHERE p_above IS NULL;
  RETURN QUERY SELECT moved, fresh;
END $function$
;

CREATE FUNCTION report_counts(p_gid bigint, p_seq bigint, p_user bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (SELECT FROM device d CROSS JOIN LATERAL (
    SELECT FROM member m WHERE m.device_id = d.id AND m.gid = p_gid AND m.until_seq IS NULL AND m.from_seq <= p_seq OFFSET 0
  ) m WHERE d.account_id = p_user)
$function$
;

CREATE FUNCTION reports_needed(p_gid bigint, p_seq bigint)
 RETURNS integer
 LANGUAGE sql
 STABLE
AS $function$
  SELECT greatest(p.reports_to_reset, (
    SELECT count(DISTINCT d.account_id)::integer / 2 + 1 FROM member m JOIN device d ON d.id = m.device_id
     WHERE m.gid = p_gid AND m.from_seq <= p_seq AND (m.until_seq IS NULL OR m.until_seq >= p_seq)
  )) FROM group_policy p WHERE p.gid = p_gid
$function$
;

CREATE FUNCTION require_certificate()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF EXISTS (SELECT FROM device_list l WHERE l.account_id = NEW.account_id)
     AND NOT EXISTS (
       SELECT FROM device_list l JOIN device_certificate c USING (account_id, identity)
        WHERE l.account_id = NEW.account_id AND c.device_id = NEW.id AND c.ended IS NULL
     ) AND EXISTS (SELECT FROM device d WHERE d.id = NEW.id AND d.revoked_at IS NULL) THEN
    RAISE EXCEPTION 'a device of an account with a device list has no certificate' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $function$
;

CREATE FUNCTION resume_group(g groups)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE groups SET frozen = NULL, frozen_at = NULL, frozen_by = NULL, reserved_until = NULL, reserved_for = NULL, successor_group_id = NULL
   WHERE gid = g.gid;
  DELETE FROM commit_report WHERE gid = g.gid;
  INSERT INTO pending_removal AS r (gid, device_id, reason)
  SELECT m.gid, m.device_id, 'revoke' FROM member m JOIN device d ON d.id = m.device_id JOIN account a ON a.id = d.account_id
   WHERE m.gid = g.gid AND m.until_seq IS NULL AND (d.revoked_at IS NOT NULL OR a.disabled_at IS NOT NULL)
   ORDER BY m.device_id
  ON CONFLICT (gid, device_id) DO UPDATE SET reason = 'revoke';
  PERFORM tell_frozen(g);
END $function$
;

CREATE FUNCTION sealed_append_messages(p_gid bigint[], p_device bigint[], p_epoch bigint[], p_length integer[], p_hashes bytea, p_blob bytea, p_max_past bigint, p_sender_key bytea[], p_issuer_key integer[], p_nonce bytea[], p_made_in integer[] DEFAULT NULL::integer[], p_wait_ms integer DEFAULT NULL::integer, p_max_bytes bigint DEFAULT NULL::bigint)
 RETURNS TABLE(ord integer, outcome text, seq bigint, epoch bigint, chain bytea, current_epoch bigint, incarnation integer, group_id bytea, accepted_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
  held bigint[];
BEGIN
  held := lock_groups(p_gid, p_wait_ms);

  RETURN QUERY
  WITH item AS (
    SELECT i.ord::integer AS ord, i.gid, i.device_id, i.epoch, i.made_in, i.sender_key, i.issuer_key, i.nonce,
           substring(p_hashes FROM (i.ord::integer - 1) * 32 + 1 FOR 32) AS hash,
           (sum(i.length) OVER (ORDER BY i.ord))::integer - i.length AS skip, i.length
      FROM unnest(p_gid, p_device, p_epoch, p_length, p_sender_key, p_issuer_key, p_nonce, p_made_in)
           WITH ORDINALITY AS i (gid, device_id, epoch, length, sender_key, issuer_key, nonce, made_in, ord)
  ), judged AS (
    SELECT i.*, g.epoch AS current_epoch, g.head_seq, g.head_chain, g.incarnation, g.group_id,
           old.seq AS old_seq, old.chain AS old_chain, old.epoch AS old_epoch, old.accepted_at AS old_accepted_at,
           CASE
             WHEN g.gid IS NULL THEN 'unknown'
             WHEN i.gid <> ALL (held) THEN 'busy'
             WHEN g.deleted_at IS NOT NULL THEN 'deleted'
             WHEN old.seq IS NOT NULL AND (m.saw_old OR i.device_id IS NULL) THEN 'duplicate'
             WHEN m.since IS NULL AND k.published IS NULL THEN 'not-a-member'
             WHEN i.made_in <> g.incarnation AND (i.made_in > 0 OR i.epoch > g.reused_above) THEN 'incarnation'
             WHEN g.frozen IS NOT NULL THEN 'frozen'
             WHEN i.epoch > g.epoch THEN 'ahead'
             WHEN i.epoch < greatest(g.post_floor, g.epoch - p_max_past, m.since) THEN 'stale'
             WHEN k.published AND EXISTS (
               -- One who is out already may still be noted, if the revocation came at the same time as the Commit.
               SELECT FROM pending_removal r JOIN member x USING (gid, device_id) WHERE r.gid = i.gid AND x.until_seq IS NULL
             ) THEN 'commit-required'
             WHEN g.over_quota OR g.bytes + i.length > p_max_bytes THEN 'full'
             ELSE 'accepted'
           END AS verdict
      FROM item i
      LEFT JOIN groups g ON g.gid = i.gid
      LEFT JOIN LATERAL (
        SELECT l.seq, l.chain, l.epoch, l.accepted_at FROM log l WHERE l.gid = i.gid AND l.hash = i.hash ORDER BY l.seq + 0 LIMIT 1
      ) old ON true
      LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE old.seq >= x.from_seq AND old.seq <= coalesce(least(x.until_seq, x.read_until), old.seq)) > 0 AS saw_old,
               max(x.join_epoch) FILTER (WHERE x.until_seq IS NULL AND x.read_until IS NULL) AS since
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
    SELECT p.*, log_chain_fold(p.head_chain, p.new_seq, 'a', p.epoch, p.hash) OVER in_order AS new_chain, sum(p.length) OVER in_order AS new_bytes
      FROM placed p WINDOW in_order AS (PARTITION BY p.gid ORDER BY p.new_seq)
  ), written AS (
    INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
    SELECT c.gid, c.new_seq, 'a', c.epoch, date_trunc('second', clock_timestamp()), c.hash, c.new_chain,
           substring(p_blob FROM c.skip + 1 FOR c.length)
      FROM chained c ORDER BY c.gid, c.new_seq
    RETURNING gid, seq, accepted_at
  ), moved AS (
    UPDATE groups g SET head_seq = t.new_seq, head_chain = t.new_chain, bytes = g.bytes + t.new_bytes
      FROM (
        SELECT DISTINCT ON (c.gid) c.gid, c.new_seq, c.new_chain, c.new_bytes FROM chained c ORDER BY c.gid, c.new_seq DESC
      ) t
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
END $function$
;

CREATE FUNCTION seen_stage(p_gid bigint)
 RETURNS smallint
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
  RETURN coalesce((
    SELECT max(CASE
             WHEN m.acked >= m.from_seq AND NOT m.resync AND (m.acked - m.from_seq + 1) * 2 >= g.head_seq - m.from_seq + 1 THEN 2
             ELSE 1
           END)
      FROM groups g JOIN member m ON m.gid = g.gid
     WHERE g.gid = p_gid AND m.until_seq IS NULL AND has_taken_up(m)
  ), 0)::smallint;
END $function$
;

CREATE FUNCTION set_delivery(p_group_id bytea, p_device bigint, p_user bigint, p_delivery text)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  g groups;
BEGIN
  SELECT * INTO g FROM groups WHERE group_id = p_group_id FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END;
  ELSIF NOT EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL AND m.read_until IS NULL) THEN
    RETURN CASE WHEN is_acquainted(g.gid, p_user) THEN 'not-a-member' ELSE 'unknown' END;
  END IF;
  IF p_delivery <> 'blocked' THEN
    PERFORM accept_invitation(p_group_id, p_user) WHERE EXISTS (
      SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL AND m.delivery = 'invited'
    );
  END IF;
  IF p_delivery = 'all' THEN
    DELETE FROM room_delivery r WHERE r.device_id = p_device AND r.room_id = g.room_id;
  ELSE
    INSERT INTO room_delivery AS r (device_id, room_id, delivery) VALUES (p_device, g.room_id, p_delivery)
    ON CONFLICT (device_id, room_id) DO UPDATE SET delivery = excluded.delivery WHERE r.delivery <> excluded.delivery;
  END IF;
  -- Without its Welcome it cannot read on.
  UPDATE member m SET delivery = p_delivery, resync = m.resync OR p_delivery = 'blocked' AND m.until_seq IS NULL AND EXISTS (
           SELECT FROM inbox i WHERE i.device_id = p_device AND i.kind = 'welcome' AND i.gid = g.gid AND i.seq = m.from_seq - 1
         )
   WHERE m.device_id = p_device AND m.gid = g.gid AND m.delivery <> p_delivery;
  IF p_delivery = 'blocked' THEN
    DELETE FROM inbox WHERE device_id = p_device AND gid = g.gid;
  ELSE
    INSERT INTO inbox (device_id, kind, gid)
    SELECT p_device, 'resync', g.gid
     WHERE EXISTS (SELECT FROM member m WHERE m.device_id = p_device AND m.gid = g.gid AND m.until_seq IS NULL AND m.resync)
       AND NOT EXISTS (SELECT FROM inbox i WHERE i.device_id = p_device AND i.gid = g.gid AND i.kind = 'resync');
  END IF;
  RETURN 'accepted';
END $function$
;

CREATE FUNCTION settle_admins(p_gid bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  settled boolean := false;
  heir record;
BEGIN
  PERFORM FROM group_policy p WHERE p.gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  DELETE FROM group_admin x USING account a
   WHERE x.gid = p_gid AND a.id = x.user_id
     AND (a.disabled_at IS NOT NULL OR presence_in(p_gid, x.user_id) = 'was'
          OR EXISTS (SELECT FROM group_ban b WHERE b.gid = p_gid AND b.user_id = x.user_id));
  settled := FOUND;
  IF NOT EXISTS (SELECT FROM group_admin x WHERE x.gid = p_gid) THEN
    FOR heir IN
      SELECT d.account_id AS user_id, min(m.from_seq) AS since
        FROM member m JOIN device d ON d.id = m.device_id
       WHERE m.gid = p_gid AND m.until_seq IS NULL AND d.revoked_at IS NULL
         AND NOT EXISTS (SELECT FROM pending_removal r WHERE r.gid = p_gid AND r.device_id = m.device_id)
         AND NOT EXISTS (SELECT FROM group_ban b WHERE b.gid = p_gid AND b.user_id = d.account_id)
       GROUP BY d.account_id ORDER BY since, d.account_id
    LOOP
      -- Whose account is being disabled just now is passed over: to wait would be against the order of locks where that is the caller.
      PERFORM FROM account a WHERE a.id = heir.user_id AND a.disabled_at IS NULL FOR SHARE SKIP LOCKED;
      IF FOUND THEN
        INSERT INTO group_admin (gid, user_id) VALUES (p_gid, heir.user_id);
        settled := true;
        EXIT;
      END IF;
    END LOOP;
  END IF;
  IF settled THEN
    UPDATE group_policy SET version = version + 1 WHERE gid = p_gid;
  END IF;
END $function$
;

CREATE FUNCTION settle_admins_of_account()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
  administered record;
BEGIN
  FOR administered IN SELECT x.gid FROM group_admin x WHERE x.user_id = NEW.id ORDER BY x.gid LOOP
    PERFORM settle_admins(administered.gid);
  END LOOP;
  RETURN NULL;
END $function$
;

CREATE FUNCTION stop_for(g groups, p_group_id bytea, p_by bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE groups
     SET frozen = 'reset', frozen_at = now(), frozen_by = p_by, reserved_until = NULL, reserved_for = NULL, announced_group_id = NULL,
         successor_group_id = p_group_id
   WHERE gid = g.gid;
  PERFORM tell_frozen(g);
END $function$
;

CREATE FUNCTION store_key_packages(p_device bigint, p_max integer, p_low integer, p_suites integer[], p_last_resort boolean[], p_expires_at timestamp with time zone[], p_refs bytea[], p_keys bytea[], p_extensions text[], p_proposals text[], p_credentials text[], p_bytes bytea[])
 RETURNS text
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION submit_commit(p_domain text, p_refs bytea[], p_gid bigint, p_incarnation integer, p_device bigint, p_user bigint, p_external boolean, p_policy_version bigint, p_epoch bigint, p_hash bytea, p_bytes bytea, p_added bigint[], p_added_welcome integer[], p_removed bigint[], p_removed_reason text[], p_welcome bytea[], p_welcome_expires timestamp with time zone[], p_group_info bytea, p_tree bytea, p_claimed_removed text[], p_reinit boolean, p_followup bytea[], p_followup_hash bytea[], p_followup_device bigint[], p_unsigned bigint[], p_fresh_refs bytea[] DEFAULT '{}'::bytea[], p_made_in integer DEFAULT NULL::integer, p_max_group bigint DEFAULT NULL::bigint, p_max_account bigint DEFAULT NULL::bigint, p_trees integer DEFAULT 4, p_announced bytea DEFAULT NULL::bytea, p_grace integer DEFAULT 0, p_added_by bigint[] DEFAULT NULL::bigint[], p_vouchers text[] DEFAULT NULL::text[], p_certified bigint[] DEFAULT NULL::bigint[], p_certificate integer[] DEFAULT NULL::integer[], p_ended integer[] DEFAULT NULL::integer[], p_fresh_devices bigint[] DEFAULT NULL::bigint[])
 RETURNS submission
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION submit_proposal(p_gid bigint, p_incarnation integer, p_device bigint, p_member boolean, p_epoch bigint, p_hash bytea, p_bytes bytea, p_pending_device bigint, p_pending_leaf integer, p_pending_reason text, p_policy_version bigint DEFAULT NULL::bigint, p_last_handshake bigint DEFAULT NULL::bigint, p_add_ref bytea DEFAULT NULL::bytea, p_add_device bigint DEFAULT NULL::bigint, p_add_suite integer DEFAULT NULL::integer, p_add_expires timestamp with time zone DEFAULT NULL::timestamp with time zone, p_made_in integer DEFAULT NULL::integer, p_max_group bigint DEFAULT NULL::bigint, p_max_account bigint DEFAULT NULL::bigint)
 RETURNS submission
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION successor_address(g groups)
 RETURNS bytea
 LANGUAGE plpgsql
 STABLE
AS $function$
DECLARE
  elsewhere text;
  found bytea;
BEGIN
  IF g.successor_group_id IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT f.hub INTO elsewhere FROM followed_group f WHERE f.gid = g.gid;
  IF elsewhere IS NULL THEN
    SELECT x.group_id INTO found FROM groups x WHERE x.gid = own_group(g.successor_group_id);
    RETURN coalesce(found, g.successor_group_id);
  END IF;
  SELECT f.group_id INTO found FROM followed_group f WHERE f.hub = elsewhere AND coalesce(f.mls_group_id, f.group_id) = g.successor_group_id;
  IF found IS NULL AND NOT EXISTS (SELECT FROM groups x WHERE x.group_id = g.successor_group_id) THEN
    found := g.successor_group_id;
  END IF;
  RETURN found;
END $function$
;

CREATE FUNCTION take_key_package(p_device bigint, p_keys bytea[], p_suites integer[], p_extensions integer[], p_proposals integer[], p_credentials integer[], p_ordinary boolean)
 RETURNS SETOF key_package
 LANGUAGE plpgsql
 SET lock_timeout TO '1s'
AS $function$
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
END $function$
;

CREATE FUNCTION take_spared_key_package(p_device bigint, p_keys bytea[], p_suites integer[], p_extensions integer[], p_proposals integer[], p_credentials integer[], p_spare integer)
 RETURNS SETOF key_package
 LANGUAGE plpgsql
 SET lock_timeout TO '1s'
AS $function$
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
END $function$
;

CREATE FUNCTION tell_frozen(old groups)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  PERFORM 1 FROM inbox i WHERE i.gid = old.gid AND i.kind = 'group.frozen' ORDER BY i.device_id, i.id FOR UPDATE;
  DELETE FROM inbox WHERE gid = old.gid AND kind = 'group.frozen';
  INSERT INTO inbox (device_id, kind, gid)
  SELECT m.device_id, 'group.frozen', old.gid FROM member m
   WHERE m.gid = old.gid AND m.until_seq IS NULL AND m.read_until IS NULL
     AND NOT EXISTS (SELECT FROM foreign_user f JOIN device d ON d.account_id = f.account_id WHERE d.id = m.device_id)
   ORDER BY m.device_id;
  UPDATE groups SET stops = stops + 1 WHERE gid = old.gid;
END $function$
;

CREATE FUNCTION tell_siblings()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF EXISTS (SELECT FROM foreign_user f WHERE f.account_id = NEW.account_id) THEN
    RETURN NULL;
  END IF;
  INSERT INTO inbox (device_id, kind, payload)
  SELECT d.id, CASE WHEN NEW.revoked_at IS NULL THEN 'device.added' ELSE 'device.revoked' END, jsonb_build_object('client', NEW.client_uri)
    FROM device d
   WHERE d.account_id = NEW.account_id AND d.id <> NEW.id AND d.revoked_at IS NULL
     AND d.id IS DISTINCT FROM nullif(current_setting('microchat.actor', true), '')::bigint
   ORDER BY d.id;
  RETURN NULL;
END $function$
;

CREATE FUNCTION too_many_welcomes(p_hub text, p_devices bigint[], p_most bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (
    SELECT FROM (
      SELECT d.account_id, count(*) AS coming FROM unnest(p_devices) AS x (id) JOIN device d ON d.id = x.id GROUP BY d.account_id
    ) u
     WHERE u.coming + (
       SELECT count(*) FROM (SELECT d.id FROM device d WHERE d.account_id = u.account_id OFFSET 0) d
        CROSS JOIN LATERAL (SELECT i.gid FROM inbox i WHERE i.device_id = d.id AND i.kind = 'welcome' OFFSET 0) i
        CROSS JOIN LATERAL (SELECT FROM replica_storage r WHERE r.gid = i.gid AND r.hub = p_hub OFFSET 0) r
     ) > p_most
  )
$function$
;

CREATE FUNCTION track_peers(p_domain text, p_gid bigint, p_seq bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
END $function$
;

CREATE FUNCTION try_lock_group_id(p_group_id bytea)
 RETURNS boolean
 LANGUAGE sql
AS $function$
  SELECT pg_try_advisory_xact_lock(hashtextextended(encode(p_group_id, 'hex'), 17))
$function$
;

CREATE FUNCTION unban_user(p_gid bigint, p_user bigint, p_banned bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF NOT authorize_admin(p_gid, p_user) THEN
    RETURN 'forbidden';
  END IF;
  DELETE FROM group_ban WHERE gid = p_gid AND user_id = p_banned;
  RETURN 'accepted';
END $function$
;

CREATE FUNCTION undo_reset(p_gid bigint, p_admin bigint)
 RETURNS TABLE(outcome text, successor bigint)
 LANGUAGE plpgsql
AS $function$
DECLARE
  g groups;
  next groups;
BEGIN
  SELECT * INTO g FROM groups WHERE gid = p_gid FOR NO KEY UPDATE;
  IF NOT FOUND OR g.deleted_at IS NOT NULL THEN
    RETURN QUERY SELECT CASE WHEN g.gid IS NULL THEN 'unknown' ELSE 'deleted' END, NULL::bigint;
    RETURN;
  ELSIF NOT authorize_admin(p_gid, p_admin) THEN
    RETURN QUERY SELECT 'forbidden', NULL::bigint;
    RETURN;
  ELSIF g.frozen IS DISTINCT FROM 'reset' OR coalesce(g.reserved_until <= now(), true) OR is_reinitialized(p_gid) THEN
    RETURN QUERY SELECT 'final', NULL::bigint;
    RETURN;
  END IF;
  -- Made later, so its row comes later in the order of locks.
  SELECT * INTO next FROM groups x WHERE x.gid = own_group(g.successor_group_id) AND x.deleted_at IS NULL FOR NO KEY UPDATE;
  -- It stops by this, and who has been dismissed there is no admin of the room any more.
  IF next.gid IS NOT NULL AND NOT authorize_admin(next.gid, p_admin) THEN
    RETURN QUERY SELECT 'forbidden', NULL::bigint;
    RETURN;
  END IF;
  UPDATE room r SET current_gid = p_gid
   WHERE r.room_id = g.room_id
     AND r.current_gid = coalesce(own_group(g.successor_group_id), p_gid);
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'final', NULL::bigint;
    RETURN;
  END IF;
  PERFORM resume_group(g);
  IF next.gid IS NOT NULL THEN
    PERFORM stop_for(next, mls_id(g), p_admin);
  END IF;
  RETURN QUERY SELECT 'accepted', next.gid;
END $function$
;

CREATE FUNCTION use_key_packages(p_refs bytea[], p_room text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE key_package_claim SET used = true, claimer = NULL WHERE ref = ANY (p_refs) AND NOT used;
  UPDATE foreign_key_package SET used = true WHERE ref = ANY (p_refs) AND room_id = p_room AND NOT used;
END $function$
;

CREATE FUNCTION withhold_replica(p_gid bigint, p_refs bytea[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  given record;
BEGIN
  -- One by one, as everywhere: else PostgreSQL would read all who are or were in the group. Who came first is judged first.
  FOR given IN
    SELECT c.device_id, c.claimer FROM key_package_claim c WHERE c.ref = ANY (p_refs)
     ORDER BY (SELECT max(m.from_seq) FROM member m WHERE m.device_id = c.device_id AND m.gid = p_gid), c.device_id
  LOOP
    UPDATE member m SET delivery = 'blocked'
     WHERE m.device_id = given.device_id AND m.gid = p_gid AND m.until_seq IS NULL AND m.delivery = 'all' AND EXISTS (
       SELECT FROM device d JOIN account a ON a.id = d.account_id JOIN user_block b ON b.blocker = a.user_uri AND b.blocked = given.claimer
        WHERE d.id = given.device_id OFFSET 0
     );
    UPDATE member m SET delivery = 'invited'
     WHERE m.device_id = given.device_id AND m.gid = p_gid AND m.until_seq IS NULL AND m.delivery = 'all'
       AND awaits_word(p_gid, given.device_id, given.claimer);
  END LOOP;
END $function$
;

CREATE AGGREGATE log_chain_fold(previous bytea, seq bigint, kind text, epoch bigint, hash bytea) (SFUNC = log_chain_step, STYPE = bytea);
