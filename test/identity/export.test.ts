import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { NOT_PERSONAL, PERSONAL_TABLES } from '../../src/accounts/personal/personal-tables.js'
import { toBase64Url } from '../../examples/client/wire.js'
import { startServer, type TestServer } from '../support/server.js'
import { GENEROUS, problemOf, World } from '../support/world.js'
import { exportOf, ofSection, tablesOf } from './account-fixture.js'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startServer({ ...GENEROUS })
  world = new World(server.url)
})
afterEach(() => world.disconnect())
afterAll(() => server?.close())

/** Tables that somebody added and said nothing about. */
async function unlisted(): Promise<string[]> {
  const listed = new Set([...PERSONAL_TABLES.map(({ table }) => table), ...Object.keys(NOT_PERSONAL)])
  return (await tablesOf(server.pool)).filter((table) => !listed.has(table))
}

describe('every table', () => {
  it('is in the export and the erasure, or among those that name no user, with the reason', async () => {
    expect(await unlisted()).toEqual([])
    const personal = new Set(PERSONAL_TABLES.map(({ table }) => table))
    expect(Object.keys(NOT_PERSONAL).filter((table) => personal.has(table))).toEqual([])
    const there = new Set(await tablesOf(server.pool))
    expect([...personal, ...Object.keys(NOT_PERSONAL)].filter((table) => !there.has(table))).toEqual([])
  })

  it('that is new is missed', async () => {
    await server.pool.query('CREATE TABLE novelty (account_id bigint REFERENCES account (id))')
    expect(await unlisted()).toEqual(['novelty'])
    await server.pool.query('DROP TABLE novelty')
  })

  it('that refers to accounts or devices, or has a column that is called so, is among the personal ones', async () => {
    const { rows } = await server.pool.query<{ name: string }>(
      `SELECT DISTINCT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0
          AND a.attname ~ '(account_id|user_id|device_id|user_uri|client_uri|holder|payer|blocke|target|requester|reporter|abuser|claimer)'`,
    )
    const personal = new Set(PERSONAL_TABLES.map(({ table }) => table))
    const others = rows.map(({ name }) => name).filter((name) => !personal.has(name))
    expect(others.sort()).toEqual(['challenge', 'device_news', 'token_answer', 'token_batch'])
  })
})

describe('an export', () => {
  it('has a record of everything that there is of the account', async () => {
    const [alice, laptop, bob] = await world.cast('alice', 'alice/laptop', 'bob')
    const group = await world.group(alice, [laptop, bob], { mode: 'public' })
    const { http } = alice.device
    await http.put(`/v1/blocks?user=${encodeURIComponent('mimi://b.example/u/mallory')}`)
    await http.put('/v1/me/searchable', { searchable: false })
    await http.post('/v1/consents', { target: bob.user.split('/').at(-1) })
    await http.put(`/v1/consents?user=${encodeURIComponent(bob.user)}`, { state: 'granted' })
    await http.put(`${group.path}/delivery`, { delivery: 'muted' })
    await http.post(`${group.path}/abuse-reports`, { alleged_abuser: bob.user, reason: 1, note: 'spam' })
    const records = await exportOf(laptop)
    const groupId = toBase64Url(group.record.groupId)
    expect(ofSection(records, 'account')).toEqual([
      { user: alice.user, created_at: expect.any(Number), searchable: false, invitations: 'open' },
    ])
    expect(ofSection(records, 'devices').map(({ client }) => client)).toEqual([alice.uri, laptop.uri])
    expect(ofSection(records, 'signature_keys').length).toBeGreaterThanOrEqual(2)
    expect(ofSection(records, 'sessions')).toHaveLength(2)
    expect(ofSection(records, 'memberships')).toEqual([
      expect.objectContaining({ client: alice.uri, group_id: groupId, from_seq: 1, delivery: 'muted' }),
      expect.objectContaining({ client: laptop.uri, group_id: groupId, delivery: 'all' }),
    ])
    expect(ofSection(records, 'created_groups')).toMatchObject([{ group_id: groupId }])
    expect(ofSection(records, 'admin_of')).toEqual([{ group_id: groupId }])
    expect(ofSection(records, 'blocks')).toMatchObject([{ user: 'mimi://b.example/u/mallory' }])
    expect(ofSection(records, 'consents')).toMatchObject([{ requester: bob.user, state: 'granted' }])
    expect(ofSection(records, 'consent_requests')).toMatchObject([{ target: bob.user }])
    expect(ofSection(records, 'muted_rooms')).toMatchObject([{ client: alice.uri, delivery: 'muted' }])
    expect(ofSection(records, 'abuse_reports')).toMatchObject([{ alleged_abuser: bob.user, note: 'spam' }])
    const { rows } = await server.pool.query<{ count: bigint }>(
      'SELECT count(*) FROM key_package k JOIN device d ON d.id = k.device_id JOIN account a ON a.id = d.account_id WHERE a.user_uri = $1',
      [alice.user],
    )
    expect(ofSection(records, 'key_packages')).toHaveLength(Number(rows[0]!.count))
    expect(JSON.stringify(records)).not.toMatch(/token_hash|code_hash|previous_hash/)
  })

  it('has nothing that others keep from the user: who blocked or reported it, and what it was refused in silence', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob])
    await alice.device.http.post('/v1/consents', { target: bob.user.split('/').at(-1) })
    await bob.device.http.put(`/v1/blocks?user=${encodeURIComponent(alice.user)}`)
    await bob.device.http.delete(`/v1/consents?user=${encodeURIComponent(alice.user)}`).catch(() => undefined)
    await bob.device.http.put(`/v1/consents?user=${encodeURIComponent(alice.user)}`, { state: 'revoked' })
    await bob.device.http.post(`${group.path}/abuse-reports`, { alleged_abuser: alice.user, reason: 1, note: 'she knows nothing of this' })
    const { rows } = await server.pool.query<{ state: string; told: string | null }>(
      'SELECT state, told FROM consent WHERE requester = $1',
      [alice.user],
    )
    expect(rows).toEqual([{ state: 'revoked', told: null }])
    const records = await exportOf(alice)
    expect(ofSection(records, 'consent_requests')).toEqual([{ target: bob.user, asked_at: expect.any(Number) }])
    expect(JSON.stringify(records)).not.toContain('she knows nothing of this')
    expect(JSON.stringify(records)).not.toContain('revoked"')
    // All that names Bob is what she did herself.
    expect(new Set(records.filter((record) => JSON.stringify(record).includes(bob.user)).map(({ section }) => section))).toEqual(
      new Set(['consent_requests']),
    )
  })

  it('says how much a group keeps only while the user is in it, and of KeyPackages not who took them', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { policy: { remove_members: 'members' } })
    const [created] = ofSection(await exportOf(alice), 'created_groups')
    expect(created).toMatchObject({ bytes: expect.any(Number) })
    await bob.device.claim(alice.user, 1, undefined)
    const claimed = ofSection(await exportOf(alice), 'claimed_key_packages')
    expect(claimed.length).toBeGreaterThan(0)
    expect(JSON.stringify(claimed)).not.toContain(bob.user)
    await alice.device.http.put(`${group.path}/admins?user=${encodeURIComponent(bob.user)}`)
    await bob.group(group.record.groupId).remove(alice.uri)
    expect(Object.keys(ofSection(await exportOf(alice), 'created_groups')[0] ?? {})).toEqual(['room', 'group_id', 'created_at'])
  })

  it('is of the caller alone, whatever the cursor says', async () => {
    const [alice, mallory] = await world.cast('alice', 'mallory')
    await alice.device.http.put(`/v1/blocks?user=${encodeURIComponent('mimi://b.example/u/secret')}`)
    const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const ask = (after: string) => mallory.device.http.get<{ records: object[] }>(`/v1/me/export?after=${after}`)
    for (const [section, key] of [
      ['blocks', ['']],
      ['devices', ['0']],
      ['account', null],
      ['memberships', ['0', '0', '0']],
    ] as const) {
      expect(JSON.stringify((await ask(cursor([section, key]))).records)).not.toContain(alice.user)
      expect(JSON.stringify((await ask(cursor([section, key]))).records)).not.toContain('secret')
    }
    for (const forged of [
      '!',
      cursor({}),
      cursor(['nothing', null]),
      cursor(['devices', []]),
      cursor(['devices', ['1; DROP TABLE account']]),
      cursor(['devices', ['99999999999999999999']]),
      cursor(['invites', ['\\xzz']]),
      cursor(['blocks', ['\0']]),
    ])
      expect([forged, (await problemOf(ask(forged))).status]).toEqual([forged, 400])
  })

  it('continues in every section', async () => {
    const [alice] = await world.cast('alice')
    const samples: Record<string, string> = {
      bigint: '0',
      int: '0',
      bytea: '\\x00',
      uuid: '00000000-0000-0000-0000-000000000000',
      text: 'a',
    }
    for (const { exported } of PERSONAL_TABLES) {
      if (!('section' in exported)) continue
      const cursor = Buffer.from(JSON.stringify([exported.section, exported.key.map(([, type]) => samples[type])])).toString('base64url')
      expect([exported.section, await alice.device.http.get(`/v1/me/export?after=${cursor}`)]).toEqual([
        exported.section,
        expect.any(Object),
      ])
    }
  })

  it('comes in pages that are together the whole, each row once', async () => {
    const [alice] = await world.cast('alice')
    await server.pool.query(
      `INSERT INTO user_block (blocker, blocked) SELECT $1, 'mimi://b.example/u/n' || n FROM generate_series(1, 450) n`,
      [alice.user],
    )
    const page = await alice.device.http.get<{ records: object[]; next?: string }>('/v1/me/export')
    expect(page.records).toHaveLength(200)
    const blocked = ofSection(await exportOf(alice), 'blocks').map(({ user }) => user)
    expect([blocked.length, new Set(blocked).size]).toEqual([450, 450])
  })
})

it('an export costs an account a limited number of pages a day', async () => {
  const limited = await startServer({ ...GENEROUS, LIMITS: 'account-exports=2' })
  const other = new World(limited.url)
  try {
    const [alice, bob] = await other.cast('alice', 'bob')
    await alice.device.http.get('/v1/me/export')
    await alice.device.http.get('/v1/me/export')
    expect((await problemOf(alice.device.http.get('/v1/me/export'))).status).toBe(429)
    await bob.device.http.get('/v1/me/export')
  } finally {
    await other.disconnect()
    await limited.close()
  }
})
