import { deleteAccount } from '../../examples/client/account-end.js'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { Erasures } from '../../src/accounts/erasure/erasure.job.js'
import { deviceIdsOf } from '../../src/accounts/personal/personal-data.repository.js'
import { TestDevice, Http, typeOf } from '../authentication/device-fixture.js'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { runCommand as cli } from '../support/run-command.js'
import { startServer, testEnvironment, type TestServer } from '../support/server.js'
import { GENEROUS, problemOf, World } from '../support/world.js'
import { accountIdOf, ageDeletions, eraseDeleted, tablesThatSay } from './account-fixture.js'

const database = useTestDatabase()
let server: TestServer
let world: World
const before = { ...process.env }
beforeAll(async () => {
  Object.assign(process.env, testEnvironment(database.url))
  // No jobs but those that the tests run.
  server = await startServer({ ...GENEROUS, ROLE: 'api' }, sharing(database))
  world = new World(server.url)
})
afterEach(() => world.disconnect())
afterAll(async () => {
  process.env = before
  await server?.close()
})

const nameOf = ({ user }: Client) => user.split('/').at(-1)!
const sharing = ({ url, pool }: typeof database) => ({ database: { url, pool, drop: () => Promise.resolve() } })
const isErased = async (client: Client) =>
  (await server.pool.query('SELECT FROM account WHERE user_uri = $1', [client.user])).rowCount === 0

async function deleted(client: Client): Promise<void> {
  client.device.http.renew = undefined
  await deleteAccount(client.device)
  await client.disconnect()
}

describe('an erasure', () => {
  it('leaves the name in no table but where others have it: in the log of their group, and in whom they block', async () => {
    const [alice, laptop, bob] = await world.cast('alice', 'alice/laptop', 'bob')
    const group = await world.group(alice, [laptop, bob], { mode: 'public' })
    const { http } = alice.device
    const bobs = encodeURIComponent(bob.user)
    await http.put(`/v1/consents?user=${bobs}`, { state: 'granted' })
    await http.post('/v1/consents', { target: nameOf(bob) })
    await http.put(`/v1/blocks?user=${encodeURIComponent('mimi://b.example/u/mallory')}`)
    await http.put('/v1/me/searchable', { searchable: false })
    await http.put('/v1/me/invitations', { invitations: 'ask' })
    await http.put(`${group.path}/delivery`, { delivery: 'muted' })
    await http.post(`${group.path}/abuse-reports`, { alleged_abuser: bob.user, reason: 1, note: 'spam' })
    await bob.device.http.post(`${group.path}/abuse-reports`, { alleged_abuser: alice.user, reason: 1, note: 'spam' })
    await bob.device.http.put(`/v1/blocks?user=${encodeURIComponent(alice.user)}`)
    await bob.device.claim(alice.user, 1).catch(() => undefined)
    const saying = await tablesThatSay(server.pool, nameOf(alice))
    expect(saying).toEqual(expect.arrayContaining(['abuse_report', 'account', 'consent', 'device', 'key_package', 'user_block']))
    await deleted(alice)
    await laptop.disconnect()

    // While the leaves are in the group, the names are needed to know them again; all else goes.
    await eraseDeleted(server)
    expect(await isErased(alice)).toBe(false)
    const meanwhile = await tablesThatSay(server.pool, nameOf(alice))
    expect(meanwhile.filter((table) => ['consent', 'key_package', 'key_package_claim', 'refresh_token', 'inbox'].includes(table))).toEqual(
      [],
    )

    await bob.group(group.record.groupId).remove(alice.uri, laptop.uri)
    await eraseDeleted(server)
    expect(await isErased(alice)).toBe(true)
    const where = await tablesThatSay(server.pool, nameOf(alice))
    // The log has the handshakes of a public group; a snapshot is written again with the next Commits.
    expect(
      where.filter((table) => !['log', 'group_snapshot', 'group_info', 'group_tree', 'commit_claim', 'welcome'].includes(table)),
    ).toEqual(['user_block'])
    const { rows } = await server.pool.query<{ reporter: string; abuser: string }>(
      `SELECT reporter, alleged_abuser AS abuser FROM abuse_report WHERE room_id = (SELECT room_id FROM groups WHERE group_id = $1) ORDER BY id`,
      [group.record.groupId],
    )
    expect(rows).toEqual([
      { reporter: expect.stringMatching(/^erased:/), abuser: bob.user },
      { reporter: bob.user, abuser: rows[0]!.reporter },
    ])
    expect((await problemOf(bob.device.http.get(`/v1/directory?identity=${encodeURIComponent(alice.user)}`))).kind).toBe('not-found')
    await bob.group(group.record.groupId).send('still here')
  })

  it('deletes groups in which nobody else is, and no others', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const alone = await world.group(alice, [])
    const shared = await world.group(alice, [bob], { mode: 'private' })
    await deleted(alice)
    await eraseDeleted(server)
    const { rows } = await server.pool.query('SELECT deleted_at IS NOT NULL AS gone FROM groups WHERE group_id = ANY ($1) ORDER BY gid', [
      [alone.record.groupId, shared.record.groupId],
    ])
    expect(rows).toEqual([{ gone: true }, { gone: false }])
    expect(await isErased(alice)).toBe(false)
    await bob.group(shared.record.groupId).remove(alice.uri)
    await eraseDeleted(server)
    expect(await isErased(alice)).toBe(true)
  })

  it('waits while requests of the moment of deletion may still write', async () => {
    const [alice] = await world.cast('alice')
    await deleted(alice)
    await server.app.get(Erasures, { strict: false }).run()
    expect(await isErased(alice)).toBe(false)
    await server.pool.query(`INSERT INTO user_block (blocker, blocked) VALUES ($1, 'mimi://b.example/u/late')`, [alice.user])
    await eraseDeleted(server)
    expect(await isErased(alice)).toBe(true)
    expect(await tablesThatSay(server.pool, nameOf(alice))).toEqual([])
  })

  it('by an operator is the same, and cannot be taken back', async () => {
    const [alice] = await world.cast('alice')
    expect(await cli('accounts', 'delete', nameOf(alice))).toMatchObject({ code: 1, errors: expect.stringContaining('--yes') })
    expect(await cli('accounts', 'delete', nameOf(alice), '--yes')).toMatchObject({ code: 0 })
    expect(await cli('accounts', 'delete', nameOf(alice), '--yes')).toMatchObject({ code: 1 })
    expect(await cli('accounts', 'enable', nameOf(alice))).toMatchObject({ code: 1, errors: expect.stringContaining('deleted') })
    expect((await cli('accounts', 'show', nameOf(alice))).out).toContain('deleted')
    await eraseDeleted(server)
    expect(await isErased(alice)).toBe(true)
  })
})

describe('the name of a deleted account', () => {
  const register = (name: string, device = 'phone') => new TestDevice(new Http(server.url), name, device).register()

  it('is given to nobody while it is in quarantine, and then to another person, who inherits bans and nothing else', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(bob, [alice], { mode: 'public' })
    const banned = await world.group(bob, [alice], { mode: 'public' })
    await bob.device.http.put(`${group.path}/admins?user=${encodeURIComponent(alice.user)}`)
    await alice.device.http.put(`/v1/consents?user=${encodeURIComponent(bob.user)}`, { state: 'granted' })
    await bob.device.http.put(`/v1/consents?user=${encodeURIComponent(alice.user)}`, { state: 'granted' })
    await bob.device.http.put(`${banned.path}/bans?user=${encodeURIComponent(alice.user)}`)
    const old = await accountIdOf(server.pool, alice.user)
    await deleted(alice)
    const name = nameOf(alice)
    expect(typeOf(await register(name))).toBe('name-taken')
    for (const one of [group, banned]) await bob.group(one.record.groupId).remove(alice.uri)
    await eraseDeleted(server)
    expect(await isErased(alice)).toBe(true)
    expect([typeOf(await register(name)), typeOf(await register(name, 'other'))]).toEqual(['name-taken', 'name-taken'])
    expect(await cli('accounts', 'create', name)).toMatchObject({ code: 1, errors: expect.stringContaining('quarantine') })
    await ageDeletions(server.pool, '90 days')

    const since = Math.floor(Date.now() / 1000) - 1
    expect((await register(name)).status).toBe(201)
    const next = await accountIdOf(server.pool, alice.user)
    expect(next).not.toBe(old)
    const entry = await bob.device.http.get<{ devices: { client: string; since: number }[] }>(
      `/v1/directory?identity=${encodeURIComponent(alice.user)}`,
    )
    expect(entry.devices).toMatchObject([{ client: alice.uri }])
    expect(entry.devices[0]!.since).toBeGreaterThanOrEqual(since)
    const of = async (table: string, column: string, value: unknown) =>
      (await server.pool.query(`SELECT FROM ${table} WHERE ${column} = $1`, [value])).rowCount
    expect([
      await of('group_admin', 'user_id', next),
      await of('consent', 'target', alice.user),
      await of('consent', 'requester', alice.user),
    ]).toEqual([0, 0, 0])
    expect([await of('group_ban', 'user_id', next), await of('group_ban', 'user_id', old)]).toEqual([1, 0])
    const [device] = await deviceIdsOf(server.pool, next)
    expect(await of('member', 'device_id', device)).toBe(0)
  })

  it('is freed by the operator before its time, and once is all', async () => {
    const [alice] = await world.cast('alice')
    const name = nameOf(alice)
    expect(await cli('accounts', 'release', name)).toMatchObject({ code: 1 })
    await deleted(alice)
    expect(await cli('accounts', 'release', name)).toMatchObject({ code: 1 })
    await eraseDeleted(server)
    expect(await cli('accounts', 'release', name)).toMatchObject({ code: 0 })
    expect((await register(name)).status).toBe(201)
    expect(await cli('accounts', 'release', name)).toMatchObject({ code: 1 })
  })

  it('is forgotten when nothing depends on it', async () => {
    const [alice] = await world.cast('alice')
    await deleted(alice)
    const id = await accountIdOf(server.pool, alice.user)
    await eraseDeleted(server)
    const there = async () => (await server.pool.query('SELECT FROM account WHERE id = $1', [id])).rowCount
    expect(await there()).toBe(1)
    await ageDeletions(server.pool, '90 days')
    await server.app.get(Erasures, { strict: false }).run()
    expect(await there()).toBe(0)
  })
})

/** What the job does with one account, in a process that can be killed. */
const ERASING = `
const [dist, url, id, user, device] = process.argv.slice(1)
const { createPool } = await import(dist + '/platform/postgres/sql.js')
const { PERSONAL_TABLES } = await import(dist + '/accounts/personal/personal-tables.js')
const { eraseRows } = await import(dist + '/accounts/personal/personal-data.repository.js')
const pool = createPool(url, { max: 1, prepare: true })
const owner = { accountId: BigInt(id), user, deviceIds: [BigInt(device)] }
for (const table of PERSONAL_TABLES) while ((await eraseRows(pool, table, owner, 'erased:x', 1000)) >= 1000);
`
const DIST = new URL('../../dist', import.meta.url).href

describe('a process that is killed between two slices of an erasure', () => {
  const other = useTestDatabase()

  it('leaves the rest to the next one, which continues where it was', async () => {
    const { pool } = other
    const user = 'mimi://localhost/u/killed'
    const made = await pool.query<{ id: bigint }>('INSERT INTO account (user_uri) VALUES ($1) RETURNING id', [user])
    const { id } = made.rows[0]!
    await pool.query(`INSERT INTO device (account_id, client_uri) VALUES ($1, 'mimi://localhost/d/killed/phone')`, [id])
    const deviceIds = await deviceIdsOf(pool, id)
    await pool.query(`INSERT INTO inbox (device_id, kind) SELECT $1, 'key-packages.low' FROM generate_series(1, 3500)`, [deviceIds[0]])
    await pool.query(`SELECT delete_account(p_domain => 'localhost', p_account => $1, p_erasure => NULL)`, [id])
    await ageDeletions(pool, '1 hour')
    const left = async () => Number((await pool.query<{ n: bigint }>('SELECT count(*) AS n FROM inbox')).rows[0]!.n)
    // The job comes as far as this row.
    const session = await pool.connect()
    await session.query('BEGIN')
    await session.query('SELECT FROM inbox ORDER BY id DESC LIMIT 1 FOR UPDATE')
    const child = spawn(process.execPath, ['--input-type=module', '-e', ERASING, DIST, other.url, String(id), user, String(deviceIds[0])], {
      stdio: 'inherit',
    })
    const ended = once(child, 'exit')
    try {
      await eventually(left, (count) => count <= 500)
    } finally {
      child.kill('SIGKILL')
      await ended
      await session.query('ROLLBACK')
      session.release()
    }
    // PostgreSQL may carry out the slice that waited, though nobody asks any more; the device itself is there.
    expect((await pool.query('SELECT FROM device WHERE account_id = $1', [id])).rowCount).toBe(1)
    expect((await pool.query('SELECT FROM account WHERE user_uri = $1', [user])).rowCount).toBe(1)
    const next = await startServer({ ...GENEROUS, ROLE: 'api' }, sharing(other))
    await next.app.get(Erasures, { strict: false }).run()
    await next.close()
    expect(await left()).toBe(0)
    expect(await tablesThatSay(pool, 'killed')).toEqual([])
  })
})
