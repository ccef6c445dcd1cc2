import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { World } from '../../support/world.js'
import { HostileProvider, type Victim } from './peer/hostile-provider.js'
import { claimFor, HostileGroup } from './peer/hub.js'
import { refOf } from './peer/mls.js'

const DOMAIN = 'a.example'

/** A provider with alice, a new one for each test, and two hostile hubs. */
export interface Scene {
  readonly server: TestServer
  readonly world: World
  readonly c: HostileProvider
  readonly d: HostileProvider
  readonly a: Victim
  alice: Client
  /** Her client URI. */
  client: string
  /** A group that nobody is in. */
  groupAt(hub: HostileProvider, mode?: 'public' | 'private'): HostileGroup
  /** How many rows a query finds. */
  count(text: string, values: unknown[]): Promise<number>
  /** How often alice is, or was, in a group. */
  memberships(): Promise<number>
  /** The ref of a KeyPackage of hers that was handed out for the group's room. */
  handed(group: HostileGroup): Promise<Buffer>
}

export function useScene(): Scene {
  const scene = {} as { -readonly [Key in keyof Scene]: Scene[Key] }
  let serial = 0
  beforeAll(async () => {
    const [c, d] = await Promise.all([new HostileProvider('c.example').listen(), new HostileProvider('d.example').listen()])
    const server = await startServer({
      ...GENEROUS,
      DOMAIN,
      PUBLIC_URL: `http://${DOMAIN}`,
      FEDERATION: 'open',
      FEDERATION_PEER_URLS: `c.example=${c.url},d.example=${d.url}`,
      FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    })
    const a = { domain: DOMAIN, url: server.url, proxy: { url: `http://${DOMAIN}` } }
    const count: Scene['count'] = async (text, values) => (await server.pool.query(text, values)).rowCount ?? 0
    Object.assign(scene, {
      ...{ server, c, d, a, count, world: new World(server.url, DOMAIN, 0) },
      groupAt: (hub: HostileProvider, mode?: 'public' | 'private') => {
        const groupId = Buffer.from(`trap ${++serial}`)
        return new HostileGroup(hub, groupId, `mimi://${hub.domain}/r/trap-${serial}`, mode)
      },
      memberships: () => count('SELECT FROM member m JOIN device d ON d.id = m.device_id WHERE d.client_uri = $1', [scene.client]),
      handed: async (group: HostileGroup) => refOf(await claimFor(group.hub, a, scene.alice.user, group.roomId)),
    })
  })
  beforeEach(async () => {
    const [alice] = await scene.world.cast('alice')
    Object.assign(scene, { alice, client: alice.device.client })
  })
  afterEach(() => scene.world.disconnect())
  afterAll(async () => {
    await scene.server.close()
    await Promise.all([scene.c.close(), scene.d.close()])
  })
  return scene
}
