import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { Device } from '../../examples/client/device.js'
import { Http, ServerProblem, type Encoding } from '../../examples/client/http.js'
import type { NewGroup } from '../../examples/client/joining.js'
import type { Mode } from '../../examples/client/store.js'
import { utf8 } from '../../examples/client/wire.js'
import { GENEROUS } from './generous.js'
import { startServer, type TestServer } from './server.js'

export { GENEROUS }

/** Everything that is claimed of one mode and suite is claimed of all four. */
export const MODES_AND_SUITES: [Mode, number][] = [
  ['public', 1],
  ['public', 2],
  ['private', 1],
  ['private', 2],
]

/** A server that runs already, for instance behind the proxy of a deployment, to test instead of one of our own. */
const given = process.env['TEST_SERVER_URL']

let serial = 0

/** Real ts-mls clients around one server. */
export class World {
  readonly clients: Client[] = []
  /** Part of all names, as a server may have seen other worlds. */
  readonly #tag = randomBytes(4).toString('hex')
  /** Whether its clients have device lists, which a server of the release before does not know. */
  identity = true
  constructor(
    readonly url: string,
    readonly domain = 'localhost',
    /** How often its clients send a request again when nobody answers. */
    readonly retries = 8,
  ) {}

  /** `alice/phone`: registered, with KeyPackages, its stream open. The same user twice gives two devices of one account. */
  async cast<const Names extends readonly string[]>(...names: Names): Promise<{ [Index in keyof Names]: Client }> {
    const tag = this.unique(++serial)
    const first = new Map<string, Client>()
    const clients: Client[] = []
    for (const one of names) {
      const [user = '', device = 'phone'] = one.split('/')
      const client = await this.unknown(`${user}-${tag}`, device)
      const older = first.get(user)
      await (older ? older.device.enrol(client.device) : client.device.register())
      first.set(user, older ?? client)
      await client.device.publishKeyPackages(3)
      client.connect()
      clients.push(client)
    }
    return clients as { [Index in keyof Names]: Client }
  }

  /** A device with keys that the server has not seen. */
  async unknown(user: string, device: string, encoding: Encoding = 'cbor'): Promise<Client> {
    const { identity } = this
    return this.keep(
      await Client.create({ baseUrl: this.url, domain: this.domain, user, device, encoding, retries: this.retries, identity }),
    )
  }

  /** A name that no other world has used. */
  unique(name: string | number): string {
    return `${name}-${this.#tag}`
  }

  /** The same device again, from what it had saved. */
  async restore(saved: Uint8Array): Promise<Client> {
    return this.keep(await Client.restore(saved, this.url))
  }

  keep(client: Client): Client {
    this.clients.push(client)
    return client
  }

  /** A group of `creator` and all devices of the users of `others`, who have joined by their Welcomes. */
  async group(creator: Client, others: readonly Client[], wish: Partial<NewGroup> = {}): Promise<Group> {
    const groupId = utf8(this.unique(`group-${++serial}`))
    const policy = { external_join: wish.mode === 'private' ? 'none' : 'same-user', ...wish.policy } as const
    const group = await creator.createGroup({ groupId, ...wish, policy })
    const users = new Set(others.map((other) => other.user))
    if (users.size > 0) await group.add(...users)
    for (const other of others) await joined(other, groupId)
    return group
  }

  async disconnect(): Promise<void> {
    await Promise.all(this.clients.splice(0).map((client) => client.disconnect()))
  }
}

/** One server and its world for all tests of a file: a new one, or the one that TEST_SERVER_URL names. */
export function useWorld(overrides: Record<string, string> = {}): World {
  let server: TestServer | undefined
  const world = given ? new World(given, process.env['TEST_SERVER_DOMAIN']) : new World('')
  beforeAll(async () => {
    if (given) return
    server = await startServer({ ...GENEROUS, ...overrides })
    Object.assign(world, { url: server.url })
  })
  afterEach(() => world.disconnect())
  afterAll(() => server?.close())
  return world
}

/** A token of another session of this device, which is bound to no key: for requests that are made by hand. */
export async function bareToken({ device }: Client): Promise<string> {
  const other = new Device(new Http({ baseUrl: device.http.baseUrl }), { ...device.record })
  other.http.prover = undefined
  await other.login()
  return other.http.accessToken ?? ''
}

export function joined(client: Client, groupId: Uint8Array): Promise<void> {
  return client.until('joining', () => client.store.group(groupId)?.standing === 'member')
}

/** Waits until these devices have read exactly these texts, in this order. */
export async function heard(clients: readonly Client[], group: Group, texts: readonly string[]): Promise<void> {
  const { groupId } = group.record
  for (const client of clients) {
    await client.until(`${texts.length} texts`, () => client.group(groupId).texts.length >= texts.length)
    expect(client.group(groupId).texts).toEqual(texts)
  }
}

/** Waits until these devices are in the same epoch as `group`, and checks that it is the same one. */
export async function agreed(clients: readonly Client[], group: Group): Promise<void> {
  const { groupId } = group.record
  for (const client of clients) {
    await client.until(`epoch ${group.epoch}`, () => client.group(groupId).epoch >= group.epoch)
    expect(client.group(groupId).epochAuthenticator).toBe(group.epochAuthenticator)
    expect(client.group(groupId).record.failures).toEqual([])
  }
}

export async function removed(client: Client, groupId: Uint8Array): Promise<void> {
  await client.until('its removal', () => client.store.group(groupId)?.standing === 'removed')
}

/** The problem that a request ends with. */
export async function problemOf(request: Promise<unknown>): Promise<ServerProblem> {
  const outcome = await request.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (outcome instanceof ServerProblem) return outcome
  throw new Error(`Expected a problem document, not ${String(outcome)}`)
}

/** Switches a device off: what remains is what it had saved. */
export async function switchOff(client: Client): Promise<Uint8Array> {
  await client.disconnect()
  return client.store.export()
}

/** The group as this device sees it. */
export function at(client: Client, group: Group): Group {
  return client.group(group.record.groupId)
}
