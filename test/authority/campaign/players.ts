import { createHash, randomUUID } from 'node:crypto'
import { Client } from '../../../examples/client/client.js'
import type { Entry } from '../../../examples/client/entries.js'
import type { Group } from '../../../examples/client/group.js'
import type { TestServer } from '../../support/server.js'
import type { Dice } from './dice.js'
import { certifies } from './group-model.js'
import { submissionOf, type Submission } from './submission.js'

/** A device that takes part. */
export interface Player {
  readonly client: Client
  readonly hostile: boolean
}

/** The devices of a campaign, each of which talks to all nodes, and what they have sent. */
export class Players {
  readonly all: Player[] = []
  /** How many there were so far. */
  enrolled = 0
  /** By hash of the bytes, in hex. */
  readonly submissions = new Map<string, Submission>()
  /** `GET /v1/groups/:groupId`: all that was asked for. */
  readonly routes = new Set<string>()
  readonly #tag = randomUUID().slice(0, 8)

  /** @param read called when a device has read an entry */
  constructor(
    private readonly nodes: readonly TestServer[],
    private readonly dice: Dice,
    private readonly read: (group: Group) => void,
  ) {}

  /** `alice/phone`; the first device of a user enrols its others. */
  async enrol(name: string, hostile: boolean): Promise<Player> {
    this.enrolled++
    const [user = '', device = 'phone'] = name.split('/')
    const baseUrl = this.nodes[0]!.url
    const client = await Client.create({ baseUrl, domain: 'localhost', user: `${user}-${this.#tag}`, device, suites: [1], retries: 3 })
    this.#watchRequests(client)
    this.#watchGroups(client)
    const older = this.all.find((one) => one.client.user === client.user)
    await (older ? older.client.device.enrol(client.device) : client.device.register())
    if (older) certifies(older.client.uri, client.uri)
    await client.device.publishKeyPackages(30)
    const player = { client, hostile }
    this.all.push(player)
    return player
  }

  forget(player: Player): void {
    this.all.splice(this.all.indexOf(player), 1)
  }

  /** Everything that waits for a device, as a client without a stream gets it. */
  async sync(...players: readonly Player[]): Promise<void> {
    for (const { client } of players) {
      this.roam(client)
      while ((await client.poll()) > 0);
    }
  }

  /** From here on a device talks to another node, or the same. */
  roam({ device }: Client): void {
    Object.assign(device.http, { baseUrl: this.dice.pick(this.nodes)!.url })
  }

  #watchRequests(client: Client): void {
    const { http } = client.device
    for (const method of ['get', 'post', 'put', 'delete', 'postMessage'] as const) {
      const send = http[method].bind(http) as (path: string, ...more: unknown[]) => Promise<unknown>
      const watched = (path: string, ...more: unknown[]) => {
        this.routes.add(`${method === 'postMessage' ? 'POST' : method.toUpperCase()} ${templateOf(path)}`)
        if (method === 'post') this.#noteSubmission(client, (more[0] ?? {}) as Record<string, unknown>)
        return send(path, ...more)
      }
      Object.assign(http, { [method]: watched })
    }
  }

  #noteSubmission(by: Client, body: Record<string, unknown>): void {
    for (const bytes of [body['commit'], body['proposal']]) {
      if (!(bytes instanceof Uint8Array)) continue
      this.submissions.set(createHash('sha256').update(bytes).digest('hex'), submissionOf(by.uri, bytes, body))
    }
  }

  #watchGroups({ groups }: Client): void {
    const set = groups.set.bind(groups)
    const watched = (key: string, group: Group) => {
      const receive = group.receive.bind(group)
      const watching = (entries: readonly Entry[]) => receive(entries).then(() => this.read(group))
      return set(key, Object.assign(group, { receive: watching }))
    }
    Object.assign(groups, { set: watched })
  }
}

/** The group as a device knows it that believes to be in it. */
export function ownGroup({ client }: Player, groupId: Uint8Array): Group | undefined {
  return client.store.group(groupId)?.standing === 'member' ? client.group(groupId) : undefined
}

/** `/v1/groups/Zm9v/bans/bob?x` is of `/v1/groups/:groupId/bans/:user`. */
function templateOf(path: string): string {
  const [place = ''] = path.split('?')
  return place
    .replace(/^\/v1\/groups\/[^/]+/u, '/v1/groups/:groupId')
    .replace(/\/(admins|bans)\/[^/]+$/u, '/$1/:user')
    .replace(/^\/v1\/rooms\/.+$/u, '/v1/rooms/:room')
    .replace(/^\/v1\/devices\/[^/]+$/u, '/v1/devices/:device')
}
