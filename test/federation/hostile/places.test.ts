import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { ModulesContainer } from '@nestjs/core'
import { PEER_PATH } from '../../../src/federation/identity/endpoints.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { World } from '../../support/world.js'
import { HostileProvider, type Victim } from './peer/hostile-provider.js'
import { HostileGroup } from './peer/hub.js'
import { deleteRoomRequest, uint } from './peer/log.js'
import { externalCommit, privateMessage } from './peer/mls.js'
import { opaque } from './peer/tls.js'

// The room in the address, the room in the body, the sender and the group belong together, at every endpoint that is about a room.

const DOMAIN = 'a.example'
const CLIENT = 'mimi://c.example/d/mallory/phone'
const OWN = `mimi://${DOMAIN}/r/own`
const OTHER = `mimi://${DOMAIN}/r/other`
const THEIRS = 'mimi://c.example/r/theirs'
const THIRD = 'mimi://d.example/r/third'
const NOTHING = Buffer.alloc(0)

let c: HostileProvider
let server: TestServer
let a: Victim
let world: World
beforeAll(async () => {
  c = await new HostileProvider('c.example').listen()
  server = await startServer({
    ...GENEROUS,
    DOMAIN,
    PUBLIC_URL: `http://${DOMAIN}`,
    FEDERATION: 'open',
    FEDERATION_PEER_URLS: `c.example=${c.url}`,
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
  })
  a = { domain: DOMAIN, url: server.url, proxy: { url: `http://${DOMAIN}` } }
  world = new World(server.url, DOMAIN)
})
afterEach(() => world.disconnect())
afterAll(async () => {
  await server.close()
  await c.close()
})

const place = (groupId: Uint8Array) => ({ groupId, epoch: 0 })
const batch = (room: string, groupId: Uint8Array) =>
  new HostileGroup(c, groupId, room).batch(DOMAIN, [{ kind: 'commit', epoch: 0, message: privateMessage(place(groupId), 'commit') }]).bytes
const update = (groupId: Uint8Array) => {
  const none = Buffer.of(0)
  const base = Buffer.concat([externalCommit(place(groupId), CLIENT, Buffer.alloc(32)), none, none, Buffer.of(4)])
  return Buffer.concat([base, opaque(CLIENT), opaque(''), none, opaque(''), none])
}

/** Endpoints that push what a hub says, and those that ask the hub; bodies by room and group. */
const PUSHED: Record<string, (room: string, groupId: Uint8Array) => Buffer> = {
  notify: batch,
  deleteRoom: (room, groupId) => deleteRoomRequest(room, groupId, 1),
}
const ASKED: Record<string, (groupId: Uint8Array) => Buffer> = {
  log: (groupId) => Buffer.concat([opaque(groupId), uint(0, 8)]),
  operation: (groupId) => Buffer.concat([opaque('group'), opaque(CLIENT), opaque(groupId), opaque(Buffer.of(0xa0))]),
  submitMessage: (groupId) => Buffer.concat([Buffer.of(1), privateMessage(place(groupId), 'application'), opaque(CLIENT)]),
  update,
  room: () => NOTHING,
  groupInfo: () => NOTHING,
  reportAbuse: () => NOTHING,
}
/** Of them, those whose body is about a group. The log says of no group whether it is there: it answers as if nothing were missing. */
const ABOUT_A_GROUP = ['operation', 'submitMessage', 'update']

const ask = async (endpoint: string, room: string, body: Buffer) => {
  const { status, problem } = await c.ask(a, endpoint, room, body)
  return `${status} ${problem}`
}

/** What hostile requests might leave behind. */
const rows = async () => {
  const tables = ['followed_group', 'groups', 'log', 'device', 'foreign_user', 'abuse_report', 'evidence']
  const found = await Promise.all(tables.map((table) => server.pool.query<{ rows: bigint }>(`SELECT count(*) AS rows FROM ${table}`)))
  return found.map((one) => one.rows[0]!.rows)
}

it('are all endpoints about rooms', () => {
  const found = [...server.app.get(ModulesContainer).values()].flatMap(({ controllers }) =>
    [...controllers.values()].flatMap(({ metatype }) => {
      if (!metatype || Reflect.getMetadata('path', metatype) !== PEER_PATH) return []
      const prototype = metatype.prototype as Record<string, unknown>
      const handlers = Object.getOwnPropertyNames(prototype).map((name) => prototype[name])
      return handlers.flatMap((handler): string[] =>
        typeof handler === 'function' ? ([Reflect.getMetadata('path', handler) ?? []].flat() as string[]) : [],
      )
    }),
  )
  const aboutRooms = found.filter((path) => path.endsWith('/:roomId')).map((path) => path.replace('/:roomId', ''))
  // Those with the draft's own bodies take no signatures: test/federation/draft/hostile.test.ts plays them.
  const signed = aboutRooms.filter((name) => !name.startsWith('draft'))
  expect(signed.toSorted()).toEqual([...Object.keys(PUSHED), ...Object.keys(ASKED)].toSorted())
  expect(new Set(found.map((path) => path.replace(/\/.*/, ''))).size).toBeGreaterThan(15)
})

describe('a hub', () => {
  it.each(Object.entries(PUSHED))('pushes to %s about rooms of its own only, in the address and in the body', async (endpoint, body) => {
    const groupId = Buffer.from(`pushed ${endpoint}`)
    const before = await rows()
    for (const room of [OWN, THIRD]) expect(await ask(endpoint, room, body(room, groupId))).toBe('409 home-elsewhere')
    for (const room of [OWN, THIRD, `${THEIRS}-2`]) {
      expect(await ask(endpoint, THEIRS, body(room, groupId))).toBe('409 home-elsewhere')
      expect(await ask(endpoint, room, body(THEIRS, groupId))).toBe('409 home-elsewhere')
    }
    expect(await rows()).toEqual(before)
  })
})

describe('a follower', () => {
  it.each(Object.entries(ASKED))('asks %s about rooms of this provider only', async (endpoint, body) => {
    const before = await rows()
    for (const room of [THEIRS, THIRD]) expect(await ask(endpoint, room, body(Buffer.from('x')))).toBe('404 not-the-hub')
    expect(c.seen).not.toContain('directory')
    expect(await rows()).toEqual(before)
  })

  it.each(ABOUT_A_GROUP)(
    'asks %s about groups in the room of the address only, and no directory is fetched for others',
    async (endpoint) => {
      const [alice] = await world.cast('alice')
      const group = await alice.createGroup({
        groupId: Buffer.from(`asked ${endpoint}`),
        room: `own-${endpoint.toLowerCase()}`,
        // Otherwise a provider with nobody in the room has no business there.
        policy: { external_join: 'open' },
      })
      const { room } = await alice.device.http.get<{ room: string }>(group.path)
      const before = await rows()
      const body = ASKED[endpoint]!
      for (const [where, id] of [
        [OTHER, group.record.groupId],
        [room, Buffer.from('another')],
        [OWN, Buffer.from('nobody')],
      ] as const)
        expect(await ask(endpoint, where, body(id))).toBe('404 not-the-hub')
      expect(c.seen).not.toContain('directory')
      expect(await rows()).toEqual(before)
      // In the right place the next rule is asked: the provider vouches for no such client.
      c.answering = () => ({ status: 404 })
      expect(await ask(endpoint, room, body(group.record.groupId))).toBe('403 client-unknown')
      c.seen.length = 0
    },
  )
})
