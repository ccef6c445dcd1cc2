import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { useTestDatabase } from '../../support/database.js'
import { eventually } from '../../support/eventually.js'
import { freePort } from '../../support/free-port.js'
import { GENEROUS } from '../../support/generous.js'
import { spawnServer, type SpawnedServer } from '../../support/server.js'
import { World } from '../../support/world.js'
import { HostileProvider, type Victim } from './peer/hostile-provider.js'
import { cbor, HostileGroup } from './peer/hub.js'
import { externalCommit } from './peer/mls.js'

const DOMAIN = 'a.example'
const database = useTestDatabase()
const c = new HostileProvider('c.example')
let server: SpawnedServer | undefined
beforeAll(async () => void (await c.listen()))
afterEach(() => server?.stop('SIGKILL'))
afterAll(() => c.close())

async function start(): Promise<Victim & { server: SpawnedServer }> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  server = await spawnServer(database.url, {
    ...GENEROUS,
    DOMAIN,
    PORT: String(port),
    PUBLIC_URL: url,
    FEDERATION: 'open',
    FEDERATION_PEER_URLS: `c.example=${c.url}`,
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
  })
  return { domain: DOMAIN, url, proxy: { url }, server }
}

let serial = 0

/** Alice sends a Commit to come into a group of the hub from outside, which says nothing. @returns once `moment` has come and the server is gone */
async function killedAt(moment: (group: HostileGroup) => Promise<boolean>) {
  const before = await start()
  const world = new World(before.url, DOMAIN, 0)
  const [alice] = await world.cast('alice')
  const group = new HostileGroup(c, Buffer.from(`killed ${++serial}`))
  c.answering = (endpoint) =>
    endpoint === 'room' ? { status: 200, body: cbor({ room: group.roomId, group_id: group.groupId }) } : undefined
  await alice.device.http.get(`/v1/rooms/${encodeURIComponent(group.roomId)}`)
  const commit = externalCommit(group.place, alice.device.client, alice.device.record.keys.get(1)!.publicKey)
  const cut = alice.device.http.post(`/v1/groups/${Buffer.from(group.groupId).toString('base64url')}/commits`, { commit }).then(
    () => 'answered',
    () => 'cut off',
  )
  await eventually(() => moment(group), Boolean)
  await world.disconnect()
  await before.server.stop('SIGKILL')
  expect(await cut).toBe('cut off')
  return { group, commit, client: alice.device.client }
}

it('believes a join whose Commit was passed on before it was killed, and no answer came', async () => {
  const { group, commit, client } = await killedAt(async () => c.seen.includes('update'))
  expect(await group.joinFromOutside(await start(), client, commit)).toBe('received')
})

it('passes nothing on that it has not written down', async () => {
  c.seen.length = 0
  const stopper = await database.pool.connect()
  await stopper.query('BEGIN; LOCK TABLE passed_commit IN SHARE MODE')
  const { group, commit, client } = await killedAt(async () => {
    const { rowCount } = await database.pool.query("SELECT FROM pg_locks WHERE relation = 'passed_commit'::regclass AND NOT granted")
    return rowCount !== 0
  })
  // PostgreSQL would go on with the statement of a client that is gone, once it has the lock.
  await database.pool.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'passed_commit'::regclass AND NOT granted")
  await stopper.query('ROLLBACK')
  stopper.release()
  const again = await start()
  expect(c.seen).not.toContain('update')
  expect(await group.joinFromOutside(again, client, commit)).toBe('roster-refused')
})
