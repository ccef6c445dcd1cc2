import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import { GENEROUS } from '../../../support/generous.js'
import { startServer, type TestServer } from '../../../support/server.js'
import { World } from '../../../support/world.js'
import { HostileProvider, type Victim } from './hostile-provider.js'
import { claimFor, HostileGroup } from './hub.js'
import { uint } from './log.js'
import { privateMessage, refOf, welcome } from './mls.js'
import { opaque } from './tls.js'

// Hubs that put users of another provider into groups, and write there.

const DOMAIN = 'a.example'
export const MIB = 1024 ** 2
export const hubs = ['c.example', 'd.example', 'e.example', 'f.example', 'g.example'].map((domain) => new HostileProvider(domain))
const servers: TestServer[] = []
const worlds: World[] = []

/** For all tests of a file. */
export function useHubs(): void {
  beforeAll(() => Promise.all(hubs.map((hub) => hub.listen())))
  afterEach(async () => void (await Promise.all(worlds.splice(0).map((world) => world.disconnect()))))
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()))
    await Promise.all(hubs.map((hub) => hub.close()))
  })
}

interface Attacked {
  readonly server: TestServer
  readonly a: Victim
  readonly world: World
}

/** A provider of its own for each test: hubs are counted for all that they keep there. */
export async function attacked(settings: Record<string, string> = {}): Promise<Attacked> {
  const server = await startServer({
    ...GENEROUS,
    DOMAIN,
    PUBLIC_URL: `http://${DOMAIN}`,
    FEDERATION: 'open',
    FEDERATION_PEER_URLS: hubs.map(({ domain, url }) => `${domain}=${url}`).join(','),
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    LIMITS: 'peer-body-bytes=1000000000,address-peer-requests=100000,new-peers-of-address=1000',
    STREAM_ACK_FLUSH: '10ms',
    ...settings,
  })
  servers.push(server)
  const world = new World(server.url, DOMAIN)
  worlds.push(world)
  return { server, a: { domain: DOMAIN, url: server.url, proxy: { url: `http://${DOMAIN}` } }, world }
}

export const small = (limits: Record<string, number>) => ({
  LIMITS: [
    'peer-body-bytes=1000000000,address-peer-requests=100000,new-peers-of-address=1000',
    ...Object.entries(limits).map(([name, number]) => `${name}=${number}`),
  ].join(','),
})

/** A user whose device is away: it does not try to make sense of garbage. */
export async function offline(world: World) {
  const [alice] = await world.cast('alice')
  await alice.disconnect()
  return alice
}

let serial = 0
/** A private group at a hub, with nobody in it. */
export function groupAt(hub: HostileProvider): HostileGroup {
  const groupId = Buffer.from(`trap ${++serial}`)
  return new HostileGroup(hub, groupId, `mimi://${hub.domain}/r/trap-${serial}`)
}

/** A group into which the user's device is brought by a KeyPackage that was claimed for it. */
export async function trap(
  hub: HostileProvider,
  a: Victim,
  { device, user }: { device: { client: string }; user: string },
): Promise<HostileGroup> {
  const group = groupAt(hub)
  const ref = refOf(await claimFor(hub, a, user, group.roomId))
  expect(await group.add(a, device.client, welcome([ref]))).toBe('received')
  return group
}

/** Messages of made-up bytes at the end of a group. */
export function garbage({ groupId, epoch }: { groupId: Uint8Array; epoch: number }, count: number, size: number) {
  const head = privateMessage({ groupId, epoch }, 'application').subarray(0, 4)
  const place = Buffer.concat([opaque(groupId), uint(epoch, 8), Buffer.of(1), opaque('')])
  return Array.from({ length: count }, () => {
    const message = Buffer.concat([head, place, opaque(randomBytes(28)), opaque(randomBytes(size))])
    return { kind: 'application', epoch, message } as const
  })
}

export const push = (group: HostileGroup, a: Victim, count: number, size: number) => group.push(a, garbage(group, count, size))

export const number = async (server: TestServer, text: string, values: unknown[] = []) =>
  Number((await server.pool.query<{ n: string }>(`SELECT (${text})::text AS n`, values)).rows[0]?.n ?? 0)
export const logBytes = (server: TestServer) => number(server, 'SELECT coalesce(sum(octet_length(bytes)), 0) FROM log')
/** With indexes, and with what was written and taken back. */
export const logFiles = (server: TestServer) =>
  number(server, `SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'log'::regclass`)

/** What is counted, and what there is. */
async function counters(server: TestServer, hub: string) {
  const { rows } = await server.pool.query<{ counted: bigint; kept: bigint; ofUsers: bigint; newBytes: bigint; newKept: bigint }>(
    `SELECT s.bytes AS counted, s.new_bytes AS "newBytes",
            (SELECT coalesce(sum(held_bytes(p_gid => r.gid)), 0)::bigint FROM replica_storage r WHERE r.hub = s.domain) AS kept,
            (SELECT coalesce(sum(held_bytes(p_gid => r.gid)), 0)::bigint FROM replica_storage r WHERE r.hub = s.domain AND r.stage = 0) AS "newKept",
            (SELECT coalesce(sum(u.bytes), 0)::bigint FROM peer_user_storage u WHERE u.domain = s.domain) AS "ofUsers"
       FROM peer_storage s WHERE s.domain = $1`,
    [hub],
  )
  return rows[0]!
}

export async function expectExact(server: TestServer, hub: HostileProvider): Promise<void> {
  const { counted, kept, ofUsers, newBytes, newKept } = await counters(server, hub.domain)
  expect([counted, ofUsers, newBytes]).toEqual([kept, kept, newKept])
}
