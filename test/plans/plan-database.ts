import { join } from 'node:path'
import { startEmbeddedPostgres } from '../../src/app/embedded/embedded-postgres.js'
import { PostgresTarget } from '../../src/platform/postgres/client/postgres-target.js'
import { migrate } from '../../src/platform/postgres/migrate.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import type { Pool } from 'pg'

/** Entries of the log. The suite's default takes some 20 s to fill; `npm run plans` has a million. */
const LOG_ROWS = Number(process.env['PLAN_LOG_ROWS'] ?? 100_000)

/** Time for one statement that fills a table with a million rows, on a busy machine. */
const FILLING_MS = 600_000

/** What the statements find. The sizes of everything else follow from the log's. */
export const SIZES = {
  log: LOG_ROWS,
  groups: LOG_ROWS / 10,
  devices: LOG_ROWS / 10,
  /** Entries of group 1, which has a Commit every 100. */
  bigGroup: (LOG_ROWS * 3) / 10,
  /** Devices that are in group 1 now, and those that were. */
  members: 1_000,
  formerMembers: Math.min(LOG_ROWS / 20, 50_000),
  /** That device 1 is in. */
  groupsOfOne: 2_000,
} as const

/**
 * A PostgreSQL of its own, since it reports the plan of every statement, those inside functions too, as a notice
 * (auto_explain), and its data would slow the cloning of databases for other tests.
 */
export async function startPlanDatabase(): Promise<{ pool: Pool; stop(): Promise<void> }> {
  const settings = {
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    max_wal_size: '4GB',
    autovacuum: 'off',
    session_preload_libraries: 'auto_explain',
    'auto_explain.log_min_duration': '0',
    'auto_explain.log_level': 'notice',
    'auto_explain.log_analyze': 'on',
    'auto_explain.log_buffers': 'on',
    'auto_explain.log_timing': 'off',
    'auto_explain.log_nested_statements': 'on',
    'auto_explain.log_format': 'json',
    track_functions: 'all',
  }
  const postgres = await startEmbeddedPostgres({ DATA_DIR: join(process.env['TEST_RUN_FOLDER']!, 'plans') }, { settings })
  await migrate(postgres.url)
  const target = new PostgresTarget(postgres.url, { statementDeadline: FILLING_MS })
  const pool = createPool(target, { max: 1, prepare: true })
  await fill(pool)
  return {
    pool,
    async stop() {
      await pool.end()
      await postgres.stop()
    },
  }
}

async function fill(pool: Pool): Promise<void> {
  const sql = await pool.connect()
  try {
    await sql.query('SET statement_timeout = 0; SET plan_cache_mode = auto; ALTER TABLE member DISABLE TRIGGER USER')
    for (const statement of [...accounts(), ...groups(), ...delivery(), ...keyPackages(), ...federation(), ...tokens()]) {
      await sql.query(statement)
    }
    await sql.query('ALTER TABLE member ENABLE TRIGGER USER')
    await sql.query('RESET statement_timeout; RESET plan_cache_mode')
  } finally {
    sql.release()
  }
}

/** From then on the planner knows what there is; until then it guesses, as in a young deployment. */
export async function gatherStatistics(pool: Pool): Promise<void> {
  const sql = await pool.connect()
  try {
    await sql.query('SET statement_timeout = 0')
    await sql.query('VACUUM ANALYZE')
    await sql.query('RESET statement_timeout')
  } finally {
    sql.release()
  }
}

const series = (last: number, first = 1): string => `generate_series(${first}, ${Math.floor(last)})`
const hash = (text: string): string => `sha256(convert_to(${text}, 'UTF8'))`

function accounts(): string[] {
  const { devices } = SIZES
  return [
    `INSERT INTO account (user_uri) SELECT 'mimi://' || CASE WHEN a % 5 = 0 THEN 'peer' || a % 50 || '.example' ELSE 'localhost' END || '/u/' || a
       FROM ${series(devices / 2)} a`,
    `INSERT INTO device (account_id, client_uri) SELECT a.id, replace(a.user_uri, '/u/', '/d/') || '/' || n FROM account a, ${series(2)} n ORDER BY a.id, n`,
    // Every hundredth device was revoked; their memberships have ended.
    `UPDATE device SET revoked_at = now() - interval '9 days' WHERE id % 100 = 99`,
    `INSERT INTO signature_key (device_id, scheme, public_key) SELECT d.id, 2055, ${hash(`'key ' || d.id || ' ' || n`)} FROM device d, ${series(2)} n`,
    `INSERT INTO device_list (account_id, identity, number, hash, head, head_issued_at, head_expires_at, identities)
     SELECT id, ${hash(`'identity ' || id`)}, 4, '\\x00', '\\x00', now(), now() + interval '9 days', 1 + (id % 2)::int FROM account`,
    `INSERT INTO device_list_entry (account_id, identity, number, bytes)
     SELECT account_id, identity, n, '\\x00' FROM device_list, ${series(4)} n`,
    `INSERT INTO device_certificate (account_id, identity, number, kind, device_id, rights, not_before, not_after, ended, signer)
     SELECT d.account_id, l.identity, 1 + row_number() OVER (PARTITION BY d.account_id ORDER BY d.id), 1, d.id, 7, now() - interval '1 day',
            now() + interval '99 days', CASE WHEN d.revoked_at IS NOT NULL THEN 4 END, 1
       FROM device d JOIN device_list l USING (account_id)`,
    `INSERT INTO pending_list_change (account_id, number, hash, signers, entries, head, effective_at)
     SELECT account_id, 5, '\\x00', '{2}', ARRAY['\\x00'::bytea], '\\x00', now() + account_id * interval '1 minute' FROM device_list`,
    `UPDATE signature_key k SET certificate = c.number FROM device_certificate c WHERE c.device_id = k.device_id AND c.ended IS NULL`,
    `INSERT INTO refresh_token (family, device_id, token_hash, expires_at) SELECT gen_random_uuid(), id, '\\x00', now() + interval '9 days' FROM device`,
    `INSERT INTO challenge (nonce, client_uri, expires_at)
     SELECT ${hash(`'nonce ' || n`)}, 'mimi://localhost/d/' || n, now() + interval '1 day' FROM ${series(devices / 10)} n`,
    `INSERT INTO foreign_user (account_id, fetched_at) SELECT id, now() FROM account WHERE user_uri NOT LIKE 'mimi://localhost/%'`,
    `INSERT INTO foreign_device_list (account_id, identity, number, identities, entries, ends, head, fetched_at)
     SELECT account_id, '\\x00', 4, 1, ARRAY['\\x00'::bytea, '\\x00', '\\x00', '\\x00'], ARRAY[NULL, NULL, 4, NULL]::int[], '\\x00', now() FROM foreign_user`,
    `INSERT INTO foreign_signature_key (device_id, public_key, valid_from)
     SELECT d.id, ${hash(`'foreign ' || d.id`)}, now() FROM device d JOIN foreign_user f USING (account_id)`,
    `INSERT INTO unsearchable_account (account_id) SELECT id FROM account WHERE id % 2 = 0`,
    `INSERT INTO user_block (blocker, blocked) SELECT a.user_uri, 'mimi://localhost/u/' || 1 + (a.id * n) % ${devices / 2} FROM account a, ${series(3)} n ON CONFLICT DO NOTHING`,
    `INSERT INTO room_delivery (device_id, room_id, delivery) SELECT d, 'mimi://localhost/r/' || n, 'muted' FROM ${series(2_000)} d, ${series(5)} n`,
    `INSERT INTO asking_account (account_id) SELECT id FROM account WHERE id % 3 = 0`,
    `INSERT INTO accepted_room (account_id, room_id) SELECT a.id, 'mimi://localhost/r/' || n FROM account a, ${series(3)} n`,
    `INSERT INTO invite (code_hash, uses_left, expires_at) SELECT ${hash(`'invite ' || n`)}, 1, now() + interval '1 day' FROM ${series(devices / 10)} n`,
  ]
}

/** Group 1 is the big one; each other has seven entries, of which the fourth is a Commit. */
function groups(): string[] {
  const { groups: count, bigGroup } = SIZES
  const columns = 'INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)'
  return [
    `INSERT INTO groups (group_id, mode, cipher_suite, epoch, head_seq, head_chain, room_id)
     SELECT ${hash(`'group ' || g`)}, CASE g % 2 WHEN 1 THEN 'public' ELSE 'private' END, 1,
            CASE g WHEN 1 THEN ${bigGroup / 100} ELSE 1 END, CASE g WHEN 1 THEN ${bigGroup} ELSE 7 END, '\\x00', 'mimi://localhost/r/' || g
       FROM ${series(count)} g`,
    `${columns} SELECT 1, s, CASE s % 100 WHEN 0 THEN 'c' WHEN 50 THEN 'p' ELSE 'a' END, s / 100 - CASE s % 100 WHEN 0 THEN 1 ELSE 0 END,
            now() - interval '60 days' + s * interval '60 days' / ${bigGroup}, ${hash(`'1 ' || s`)}, '\\x00', convert_to(repeat('x', 200), 'UTF8')
       FROM ${series(bigGroup)} s`,
    `${columns} SELECT g, s, CASE s WHEN 4 THEN 'c' ELSE 'a' END, CASE WHEN s > 4 THEN 1 ELSE 0 END, now() - interval '20 days',
            ${hash(`g || ' ' || s`)}, '\\x00', convert_to(repeat('x', 200), 'UTF8')
       FROM ${series(count, 2)} g, ${series(7)} s`,
    `INSERT INTO room (room_id, current_gid) SELECT room_id, gid FROM groups`,
    `INSERT INTO group_policy (gid, external_join, add_members, remove_members, reports_to_reset)
     SELECT gid, 'same-user', 'members', 'members', 2 FROM groups`,
    `INSERT INTO group_admin (gid, user_id) SELECT gid, gid % ${SIZES.devices / 2} + 1 FROM groups`,
    `INSERT INTO group_ban (gid, user_id) SELECT 1 + n % 50, 1 + n * 7 % ${SIZES.devices / 2} FROM ${series(2_000)} n ON CONFLICT DO NOTHING`,
    `INSERT INTO group_outcast (gid, user_id) SELECT 1 + n % 50, n FROM ${series(2_000)} n`,
    `INSERT INTO outcast_device (gid, device_id) SELECT 1 + n % 50, n FROM ${series(2_000)} n`,
    `INSERT INTO group_info (gid, epoch, bytes) SELECT gid, e, '\\x00' FROM groups, ${series(1, 0)} e`,
    `INSERT INTO group_tree (gid, epoch, bytes) SELECT gid, e, '\\x00' FROM groups, ${series(1, 0)} e WHERE mode = 'private'`,
    `INSERT INTO group_snapshot (gid, epoch, seq, bytes) SELECT gid, 0, 0, '\\x00' FROM groups WHERE mode = 'public'`,
    `INSERT INTO group_snapshot (gid, epoch, seq, bytes) SELECT 1, ${bigGroup / 100 - 2}, ${bigGroup - 200}, '\\x00'`,
    `INSERT INTO commit_claim (gid, seq, removed_clients, reinit) SELECT gid, 4, '{}', false FROM groups WHERE mode = 'private'`,
    `INSERT INTO commit_report (gid, seq, user_id, reason) SELECT 1 + n % 500, 4, n, 'invalid' FROM ${series(2_000)} n`,
    `INSERT INTO incarnation_start (gid, incarnation, from_seq) SELECT gid, 2, 3 FROM groups WHERE gid % 10 = 0`,
    `INSERT INTO sender_key (gid, epoch, user_id, public_key) SELECT gid, 1, 1 + (gid * n) % ${SIZES.devices / 2}, ${hash('gid::text')} FROM groups, ${series(3)} n ON CONFLICT DO NOTHING`,
  ]
}

function delivery(): string[] {
  const { groups: count, devices, bigGroup, members, formerMembers, groupsOfOne } = SIZES
  const member = 'INSERT INTO member (device_id, gid, from_seq, until_seq, join_epoch, acked, ended)'
  return [
    `${member} SELECT d, 1, 1, NULL, 0, ${bigGroup - 10}, NULL FROM ${series(members)} d`,
    `${member} SELECT 1 + (d * 7) % ${devices}, 1, 2 + d % 1000, 1000 + 100 * (d % ${Math.floor(bigGroup / 100) - 10}), 0, 1000 + 100 * (d % ${Math.floor(bigGroup / 100) - 10}), 'removed'
       FROM ${series(formerMembers)} d ON CONFLICT DO NOTHING`,
    `${member} SELECT 1 + (g * 7 + n * 13) % ${devices}, g, 1, NULL, 0, 7, NULL FROM ${series(count, 2)} g, ${series(5)} n ON CONFLICT DO NOTHING`,
    `${member} SELECT 1, g, 1, NULL, 0, 7, NULL FROM ${series(groupsOfOne, 2)} g ON CONFLICT DO NOTHING`,
    // Device 2 has been in many groups, one after the other.
    `${member} SELECT 2, g, 1, 5, 0, 5, 'left' FROM ${series(groupsOfOne, 2)} g ON CONFLICT DO NOTHING`,
    `DELETE FROM member m USING device d WHERE d.id = m.device_id AND d.revoked_at IS NOT NULL AND m.until_seq IS NULL`,
    `INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at) SELECT gid, 4, 1, 1, '\\x00', now() + interval '30 days' FROM groups WHERE gid % 2 = 0`,
    `INSERT INTO inbox (device_id, kind, gid, seq, ordinal) SELECT m.device_id, 'welcome', m.gid, 4, 1 FROM member m WHERE m.gid % 6 = 0`,
    `INSERT INTO inbox (device_id, kind, gid) SELECT 1 + d % ${devices}, 'resync', 1 + d % ${count} FROM ${series(count)} d`,
    `INSERT INTO inbox (device_id, kind, gid) SELECT 3, 'resync', g FROM ${series(2_000)} g`,
    `INSERT INTO pending_removal (gid, device_id, reason, proposed_epoch) SELECT gid, device_id, 'leave', 1 FROM member WHERE gid % 100 = 50 AND until_seq IS NULL`,
    `INSERT INTO device_news (device_id) SELECT d FROM ${series(20_000)} d`,
    `INSERT INTO draft_member (gid, device_id, leaf_index, welcome_hash, tree_hash) SELECT gid, device_id, 1, ${hash(`'welcome ' || gid`)}, ${hash(`'tree ' || gid`)} FROM member ON CONFLICT DO NOTHING`,
    `INSERT INTO draft_tree (gid, hash, bytes) SELECT gid, ${hash(`'tree ' || gid`)}, '\\x00' FROM groups`,
    `INSERT INTO draft_claim (hash, account_id, refs, answer, expires_at) SELECT ${hash(`'claim ' || d`)}, 1 + d % 1000, ARRAY[${hash(`'ref ' || d || ' 1'`)}], '\\x00', now() + interval '20 days' FROM ${series(5_000)} d`,
    `INSERT INTO draft_taken (hash, room_id, accepted_at) SELECT ${hash(`'taken ' || d`)}, 'mimi://b.example/r/' || d, now() FROM ${series(5_000)} d`,
  ]
}

function keyPackages(): string[] {
  const values = `d, 1, n = 10, now() + interval '30 days'`
  return [
    `INSERT INTO key_package (device_id, cipher_suite, last_resort, expires_at, ref, signature_key, extensions, proposals, credentials, bytes)
     SELECT ${values}, ${hash(`'ref ' || d || ' ' || n`)}, ${hash(`'key ' || d || ' 1'`)}, '{}', '{}', '{1}', '\\x00'
       FROM ${series(SIZES.devices / 2)} d, ${series(10)} n`,
    `INSERT INTO key_package_claim (device_id, cipher_suite, last_resort, expires_at, ref)
     SELECT ${values}, ${hash(`'claim ' || d || ' ' || n`)} FROM ${series(SIZES.devices / 2)} d, ${series(10)} n`,
    `INSERT INTO handed_out_key_package (room_id, ref, device_id, expires_at)
     SELECT 'mimi://hub' || device_id % 20 || '.example/r/' || device_id, ref, device_id, expires_at FROM key_package_claim`,
    `INSERT INTO passed_commit (room_id, hash, device_id, passed_at)
     SELECT 'mimi://hub' || n % 20 || '.example/r/' || n, ${hash(`'passed ' || n`)}, n % ${SIZES.devices}, now() - n * interval '1 minute' FROM ${series(20_000)} n`,
  ]
}

function federation(): string[] {
  return [
    `INSERT INTO peer (domain) SELECT 'peer' || n || '.example' FROM ${series(499, 0)} n`,
    `INSERT INTO peer_cursor (domain, gid, from_seq, acked, incarnation) SELECT 'peer' || gid % 500 || '.example', gid, 1, head_seq, 1 FROM groups`,
    `INSERT INTO peer_cursor (domain, gid, from_seq, acked, incarnation) SELECT 'peer' || n || '.example', 1, 1, 5, 1 FROM ${series(50, 2)} n ON CONFLICT DO NOTHING`,
    `INSERT INTO peer_deletion (domain, group_id, room_id, incarnation, receipt)
     SELECT 'peer' || n % 50 || '.example', ${hash(`'gone ' || n`)}, 'mimi://localhost/r/gone-' || n, 1, '\\x00' FROM ${series(SIZES.groups)} n`,
    `INSERT INTO peer_erasure (domain, erasure_id, account_id, receipt)
     SELECT 'peer' || n % 50 || '.example', ${hash(`'erased ' || n`)}, 1000000 + n, '\\x00' FROM ${series(10_000)} n`,
    `INSERT INTO followed_group (group_id, hub, room_id, gid) SELECT group_id, 'hub' || gid % 20 || '.example', room_id, gid FROM groups WHERE gid % 10 = 3`,
    `INSERT INTO replica_storage (gid, hub, account_id, stage) SELECT gid, hub, 1 + gid % 1000, (gid / 10) % 3 FROM followed_group`,
    `INSERT INTO peer_storage (domain, bytes) SELECT 'hub' || n || '.example', 1000 FROM ${series(2_000)} n`,
    `INSERT INTO peer_user_storage (domain, account_id, bytes) SELECT 'hub' || n % 20 || '.example', n, 1000 FROM ${series(1_000)} n`,
    `INSERT INTO kept_directory (domain, hash, keys, key_ids, changed, issued_at, expires_at, document)
     SELECT 'hub' || n % 20 || '.example', ${hash(`'directory ' || n`)}, '{}', '{k}', n % 7 = 0, now(), now() + interval '7 days', '{}' FROM ${series(2_000)} n`,
    `INSERT INTO kept_head (gid, incarnation, seq, head) SELECT gid, 1, n * 256, '{}' FROM followed_group, ${series(5)} n`,
    `INSERT INTO evidence (hub, kind, group_id, room_id, incarnation, seq, why, stops)
     SELECT f.hub, 'two-histories', f.group_id, f.room_id, 1, 1, '', true FROM followed_group f LIMIT 500`,
    `INSERT INTO incarnation_begun (gid, incarnation, hub, kept_seq, vanished) SELECT gid, 2, hub, 1, 9 FROM followed_group`,
    `INSERT INTO vanished_entry (gid, incarnation, seq, kind, epoch, hash) SELECT gid, 2, n, 'a', 1, '\\x00' FROM followed_group, ${series(9)} n`,
    `INSERT INTO consent (target, requester, room, state, asked_at)
     SELECT 'mimi://localhost/u/' || n % 1000, 'mimi://peer1.example/u/' || n, '', 'requested', now() FROM ${series(20_000)} n`,
    // Introductions last for a day, and an hourly job takes those that are past.
    `INSERT INTO introduction (account_id, domain, until)
     SELECT a.id, 'peer' || (a.id + n) % 500 || '.example', now() + (a.id % 25 - 1) * interval '1 hour' FROM account a, ${series(3)} n
      WHERE a.user_uri LIKE 'mimi://localhost/%'`,
    `INSERT INTO abuse_report (room_id, provider, reporter, alleged_abuser, reason, note, messages)
     SELECT 'room', 'peer' || n % 50 || '.example', n, 'abuser' || n % 1000, 1, '', 0 FROM ${series(5_000)} n`,
    `INSERT INTO federation_result (domain, endpoint, body_hash, expires_at)
     SELECT 'peer1.example', 'notify', ${hash('n::text')}, now() + interval '5 minutes' FROM ${series(10_000)} n`,
    `INSERT INTO federation_nonce (slot, domain, nonce) SELECT n % 4, 'peer1.example', n::text FROM ${series(20_000)} n`,
  ]
}

function tokens(): string[] {
  const keys = [1, 2, 3]
  const holder = `'localhost', ${hash(`'issuer ' || n % 3`)}, 'mimi://localhost/u/' || n`
  return [
    `INSERT INTO issuer_key (key_id, truncated_id, token_key, sealed_private, issues_from, issues_until, redeems_until)
     SELECT ${hash(`'issuer ' || n`)}, n, '\\x00', '\\x00', now(), now() + interval '1 day', now() + interval '2 days' FROM ${series(3)} n`,
    ...keys.map((key) => `CREATE TABLE spent_token_${key} PARTITION OF spent_token FOR VALUES IN (${key})`),
    `INSERT INTO spent_token (issuer_key, nonce) SELECT 1 + n % 3, ${hash('n::text')} FROM ${series(SIZES.log / 2)} n`,
    `INSERT INTO token_issuer (issuer, keys, batch_size, used_at)
     SELECT 'hub' || n || '.example', '[]', 10, now() - n * interval '2 hours' FROM ${series(2_400)} n`,
    `INSERT INTO token_quota (issuer, key_id, holder, issued, forget_at) SELECT ${holder}, 1, now() + interval '2 days' FROM ${series(10_000)} n`,
    `INSERT INTO token_batch (issuer, key_id, holder, request_hash) SELECT ${holder}, ${hash('n::text')} FROM ${series(10_000)} n`,
    `INSERT INTO token_answer (issuer, key_id, holder, request_hash, answer, nth) SELECT ${holder}, ${hash('n::text')}, '\\x00', 1 FROM ${series(10_000)} n`,
  ]
}
