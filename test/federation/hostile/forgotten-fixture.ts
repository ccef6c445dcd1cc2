import { expect } from '@jest/globals'
import { ForgottenReplicas } from '../../../src/federation/quotas/forgotten-replicas.js'
import type { TestServer } from '../../support/server.js'
import { claimFor, type HostileGroup } from './peer/hub.js'
import { refOf, welcome } from './peer/mls.js'
import { attacked, groupAt, hubs, number, offline, push, small, trap } from './peer/trap.js'

export const MOST = 8
/** KeyPackages are good for this long: 90 days. */
export const KEPT = 90

/** Groups up to the limit, and one more that is held back. */
export async function full() {
  const all = await attacked(small({ 'peer-new-groups-of-user': MOST }))
  const alice = await offline(all.world)
  const groups: HostileGroup[] = []
  for (let n = 0; n < MOST; n++) {
    const group = await trap(hubs[0]!, all.a, alice)
    expect(await push(group, all.a, 3, 2_000)).toBe('received')
    groups.push(group)
  }
  const add = async () => {
    const group = groupAt(hubs[0]!)
    const ref = refOf(await claimFor(hubs[0]!, all.a, alice.user, group.roomId))
    return group.add(all.a, alice.device.client, welcome([ref]))
  }
  return { ...all, alice, groups, add }
}

export const forget = (server: TestServer) => server.app.get(ForgottenReplicas).run()

/** As if so many days had passed since devices here were added to groups, and since what is in their logs was accepted. */
export async function days(server: TestServer, passed: number): Promise<void> {
  await server.pool.query("UPDATE replica_storage SET invited_at = invited_at - $1 * interval '1 day'", [passed])
  await server.pool.query("UPDATE log SET accepted_at = accepted_at - $1 * interval '1 day'", [passed])
}

export async function gidsOf(server: TestServer, groups: readonly HostileGroup[]): Promise<bigint[]> {
  const ids = groups.map(({ groupId }) => groupId)
  const { rows } = await server.pool.query<{ gid: bigint }>('SELECT gid FROM groups WHERE group_id = ANY ($1) ORDER BY gid', [ids])
  return rows.map(({ gid }) => gid)
}

/** Columns of all tables that hold rows of groups (`gid`, `used_gid` …), their MLS ids or their addresses. A new table is among them by itself. */
async function columns(server: TestServer): Promise<{ table: string; column: string; type: string }[]> {
  const { rows } = await server.pool.query<{ table: string; column: string; type: string }>(
    `SELECT c.table_name AS table, c.column_name AS column, c.data_type AS type FROM information_schema.columns c
       JOIN information_schema.tables t USING (table_schema, table_name)
      WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
        AND (c.column_name ~ '(^|_)gid$' AND c.data_type = 'bigint' OR c.column_name ~ '(^|_)group_id$' AND c.data_type = 'bytea')`,
  )
  return rows
}

/** Where these groups are still mentioned: `<table>.<column>`. */
export async function mentions(server: TestServer, gids: readonly bigint[], groups: readonly HostileGroup[]): Promise<string[]> {
  const found: string[] = []
  const all = await columns(server)
  expect(all.length).toBeGreaterThan(30)
  for (const { table, column, type } of all) {
    const values = type === 'bigint' ? gids : groups.map(({ groupId }) => groupId)
    if ((await number(server, `SELECT count(*) FROM "${table}" WHERE "${column}" = ANY ($1)`, [values])) > 0)
      found.push(`${table}.${column}`)
  }
  return found
}

/** A row about the group in each table that can have one, whatever else stands in it. @returns `<table>.<column>` of all of them */
export async function fillEverything(server: TestServer, gid: bigint): Promise<string[]> {
  const { pool } = server
  const { rows: checks } = await pool.query<{ drop: string }>(
    `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop FROM pg_constraint
      WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND conparentid = 0 AND coninhcount = 0`,
  )
  for (const { drop } of checks) await pool.query(drop)
  const filled = (await columns(server)).filter(({ table, type }) => type === 'bigint' && table !== 'groups' && !/_\d+$/.test(table))
  for (const { table, column } of filled) await fill(server, table, column, gid)
  return filled.map(({ table, column }) => `${table}.${column}`)
}

/** Of the types that there are; columns that lead elsewhere lead to what is there. */
async function fill({ pool }: TestServer, table: string, column: string, gid: bigint): Promise<void> {
  const { rows } = await pool.query<{ names: string; values: string }>(
    `SELECT string_agg(quote_ident(column_name), ', ') AS names, string_agg(CASE
              WHEN column_name = $2 THEN '$1::bigint'
              WHEN column_name IN ('account_id', 'user_id') THEN '(SELECT d.account_id FROM member m JOIN device d ON d.id = m.device_id WHERE m.gid = $1::bigint LIMIT 1)'
              WHEN column_name = 'device_id' THEN '(SELECT m.device_id FROM member m WHERE m.gid = $1::bigint LIMIT 1)'
              WHEN column_name = 'room_id' THEN '(SELECT f.room_id FROM followed_group f WHERE f.gid = $1::bigint)'
              WHEN data_type = 'bytea' THEN 'sha256(''filled'')'
              WHEN data_type = 'text' THEN '''filled'''
              WHEN data_type = 'character' THEN '''x'''
              WHEN data_type = 'ARRAY' THEN '''{}'''
              WHEN data_type = 'boolean' THEN 'false'
              WHEN data_type LIKE 'timestamp%' THEN 'now()'
              ELSE '7' END, ', ') AS values
       FROM information_schema.columns
      WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'NO' AND (is_nullable = 'NO' OR column_name = $2)`,
    [table, column],
  )
  const [{ names, values }] = rows as [{ names: string; values: string }]
  await pool.query(`INSERT INTO "${table}" (${names}) VALUES (${values}) ON CONFLICT DO NOTHING`, [gid])
}

interface Counted {
  domain: string
  account: bigint | null
  bytes: bigint
  newBytes: bigint
  newGroups: bigint
}

const SUMS = `coalesce(sum(g.bytes), 0)::bigint AS bytes, coalesce(sum(g.bytes) FILTER (WHERE r.stage = 0), 0)::bigint AS "newBytes",
              count(*) FILTER (WHERE r.stage = 0) AS "newGroups" FROM replica_storage r JOIN groups g USING (gid)`
const NOTHING = ({ bytes, newBytes, newGroups }: Counted) => bytes === 0n && newBytes === 0n && newGroups === 0n

/** What is counted for hubs and users is what there is. */
export async function expectCounted(server: TestServer): Promise<void> {
  const counted = await server.pool.query<Counted>(
    `SELECT domain, NULL::bigint AS account, bytes, new_bytes AS "newBytes", new_groups::bigint AS "newGroups" FROM peer_storage
      UNION ALL SELECT domain, account_id, bytes, new_bytes, new_groups FROM peer_user_storage ORDER BY 1, 2`,
  )
  const kept = await server.pool.query<Counted>(
    `SELECT r.hub AS domain, NULL::bigint AS account, ${SUMS} GROUP BY r.hub
      UNION ALL SELECT r.hub, r.account_id, ${SUMS} WHERE r.account_id IS NOT NULL GROUP BY r.hub, r.account_id ORDER BY 1, 2`,
  )
  expect(counted.rows.filter((row) => !NOTHING(row))).toEqual(kept.rows.filter((row) => !NOTHING(row)))
  expect(await number(server, 'SELECT count(*) FROM groups WHERE bytes <> held_bytes(p_gid => gid) AND deleted_at IS NULL')).toBe(0)
}
