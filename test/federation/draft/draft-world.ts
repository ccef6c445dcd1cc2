import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import { eventually } from '../../support/eventually.js'
import { freePort } from '../../support/free-port.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { World } from '../../support/world.js'
import type { Chat } from './peer/chat.js'
import { DraftNetwork, people } from './peer/network.js'
import type { DraftProvider } from './peer/provider.js'

/** The server as a.example, and two providers that speak the draft alone: b.example, known by its authority, and c.example, by its key. */
export interface DraftWorld {
  readonly network: DraftNetwork
  readonly server: TestServer
  readonly world: World
  readonly b: DraftProvider
  readonly c: DraftProvider
}

/** SHA-256 of a certificate's SubjectPublicKeyInfo, hexadecimal. */
export function pinOf(cert: string): string {
  const key = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(key).digest('hex')
}

export async function startDraftWorld(overrides: Record<string, string> = {}): Promise<DraftWorld & { close(): Promise<void> }> {
  const network = new DraftNetwork()
  const folder = mkdtempSync(join(tmpdir(), 'draft-'))
  const file = (name: string, content: string) => (writeFileSync(join(folder, name), content), join(folder, name))
  const own = network.authority.issue('a.example')
  const pinned = network.authority.issue('c.example')
  const b = await network.start('b.example')
  const c = await network.start('c.example', { identity: pinned })
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  const server = await startServer({
    ...GENEROUS,
    DOMAIN: 'a.example',
    FEDERATION: 'open',
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    FEDERATION_PEER_URLS: [b, c].map(({ domain, listener }) => `${domain}=${listener.url}`).join(','),
    FEDERATION_DRAFT_PORT: String(port),
    FEDERATION_DRAFT_URL: url,
    FEDERATION_DRAFT_PEERS: `b.example=ca:${file('ca.pem', network.authority.cert)},c.example=sha256:${pinOf(pinned.cert)}`,
    FEDERATION_TLS_CERT: file('cert.pem', own.cert),
    FEDERATION_TLS_KEY: file('key.pem', own.key),
    SWEEP_INTERVAL: '200ms',
    ...overrides,
  })
  network.addresses.set('a.example', url)
  const world = new World(server.url, 'a.example')
  const close = async () => {
    await server.close()
    await network.close()
    rmSync(folder, { recursive: true })
  }
  return { network, server, world, b, c, close }
}

/** One such world for all tests of a file. */
export function useDraftWorld(overrides: Record<string, string> = {}): DraftWorld {
  let made: Awaited<ReturnType<typeof startDraftWorld>> | undefined
  beforeAll(async () => void (made = await startDraftWorld(overrides)))
  afterEach(() => made?.world.disconnect())
  afterAll(() => made?.close())
  const get = <Key extends keyof DraftWorld>(key: Key): DraftWorld[Key] => {
    if (!made) throw new Error('The server has not started')
    return made[key]
  }
  return {
    get network() {
      return get('network')
    },
    get server() {
      return get('server')
    },
    get world() {
      return get('world')
    },
    get b() {
      return get('b')
    },
    get c() {
      return get('c')
    },
  }
}

let serial = 0

/** A user of a draft provider, on these devices. */
export function draftUser(provider: DraftProvider, name: string, ...devices: string[]): Promise<Chat[]> {
  return people(provider, `${name}${++serial}`, devices.length > 0 ? devices : ['phone'])
}

export const entered = (chat: Chat, room: string): Promise<boolean> => eventually(() => chat.device.groups.has(room), Boolean)

export const roomOf = async (group: Group): Promise<string> => (await group.device.http.get<{ room: string }>(group.path)).room

/** A group without certificates of identities, which the draft does not know. */
export function plainGroup(world: World, creator: Client, others: readonly Client[] = [], join: JoinRule = 'same-user'): Promise<Group> {
  return world.group(creator, others, { policy: { external_join: join, identities: 'any' } })
}

type JoinRule = 'same-user' | 'open' | 'none'

/**
 * Waits until all have read these texts, each exactly once, and are in one epoch.
 * @param clients of the server here @param chats of draft providers
 */
export async function allHeard(
  room: string,
  clients: readonly [Group, ...Group[]],
  chats: readonly Chat[],
  texts: readonly string[],
): Promise<void> {
  const read = [
    ...clients.map((group) => ({ who: group.device.client, texts: () => group.texts, epoch: () => group.epoch })),
    ...chats.map(({ device }) => ({
      who: device.client,
      texts: () => device.groups.get(room)?.texts ?? [],
      epoch: () => device.groups.get(room)?.epoch ?? -1,
    })),
  ]
  const state = () => read.map((one) => ({ who: one.who, read: one.texts().length, epoch: one.epoch() }))
  await eventually(state, (all) => all.every((one) => one.read >= texts.length && one.epoch === all[0]?.epoch))
  for (const one of read) expect({ who: one.who, texts: one.texts().toSorted() }).toEqual({ who: one.who, texts: texts.toSorted() })
  for (const { device } of chats) expect(device.group(room).failures).toEqual([])
  for (const group of clients) expect(group.record.failures).toEqual([])
  const authenticators = [
    ...clients.map((group) => group.epochAuthenticator),
    ...chats.map(({ device }) => device.group(room).authenticator),
  ]
  expect(new Set(authenticators).size).toBe(1)
}
