import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll } from '@jest/globals'
import { decode, encode } from 'cborg'
import { Client, type ClientOptions } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import type { NewGroup } from '../../../examples/client/joining.js'
import { suite } from '../../../examples/client/mls/suites.js'
import { toHex, utf8 } from '../../../examples/client/wire.js'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'

/** Changes an answer; what it returns is what the client gets. */
type Lie = (answer: unknown, request: { path: string; user: string }) => unknown

/**
 * A server that signs nothing it does not own, and does whatever else it likes: it changes its database, and each of its answers. Clients poll.
 */
export class MaliciousServer {
  server!: TestServer
  database!: TestDatabase
  readonly #lies: { path: RegExp; lie: Lie }[] = []
  readonly #inventions: { path: RegExp; body: unknown }[] = []
  #relay!: Server
  url = ''
  #serial = 0

  async start(): Promise<void> {
    this.database = await createTestDatabase()
    this.#relay = createServer((incoming, outgoing) => void this.#pass(incoming, outgoing)).listen(0, '127.0.0.1')
    await once(this.#relay, 'listening')
    const address = this.#relay.address()
    if (address === null || typeof address === 'string') throw new Error('No port')
    this.url = `http://127.0.0.1:${address.port}`
    this.server = await startServer({ ...GENEROUS, PUBLIC_URL: this.url }, { database: this.database })
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const { host: _host, connection: _connection, 'transfer-encoding': _encoding, ...headers } = incoming.headers
    const init = { method: incoming.method ?? 'GET', headers: headers as Record<string, string> }
    const path = incoming.url ?? '/'
    const invented = this.#inventions.findLast((one) => one.path.test(path))
    if (invented) return void outgoing.writeHead(200, { 'content-type': 'application/cbor' }).end(encode(invented.body))
    const answer = await fetch(this.server.url + path, chunks.length > 0 ? { ...init, body: Buffer.concat(chunks) } : init)
    const type = answer.headers.get('content-type') ?? 'application/octet-stream'
    const body = this.#told(path, type, Buffer.from(await answer.arrayBuffer()))
    outgoing.writeHead(answer.status, { 'content-type': type }).end(body)
  }

  async stop(): Promise<void> {
    this.#relay.close()
    this.#relay.closeAllConnections()
    await once(this.#relay, 'close')
    await this.server.close()
    await this.database.drop()
  }

  /** From here on it tells lies where the path is this; the last one is what is heard. */
  lie(path: RegExp, lie: Lie): void {
    this.#lies.push({ path, lie })
  }
  /** An answer of its own, whatever the server would say. */
  invent(path: RegExp, body: unknown): void {
    this.#inventions.push({ path, body })
  }
  tellTheTruth(): void {
    this.#lies.length = 0
    this.#inventions.length = 0
  }

  /** Whatever it shows of a user's list. */
  show(user: string, list: { entries: readonly Uint8Array[]; head: Uint8Array }): void {
    this.lie(/^\/v1\/device-lists\?/u, (answer, { path, user: asked }) => {
      if (asked !== user) return answer
      const from = Number(/from=(\d+)/u.exec(path)?.[1] ?? 1)
      return { user, identities: 1, number: list.entries.length, entries: list.entries.slice(from - 1), head: list.head }
    })
  }

  /** A registered device. The second of a user is enrolled by the first. */
  async cast<const Names extends readonly string[]>(
    names: Names,
    options: Partial<ClientOptions> = {},
  ): Promise<{ [Index in keyof Names]: Client }> {
    const tag = `${process.pid}-${++this.#serial}`
    const clients: Client[] = []
    for (const one of names) {
      const [name = '', device = 'phone'] = one.split('/')
      const client = await this.unknown(`${name}-${tag}`, device, options)
      const older = clients.find(({ user }) => user === client.user)
      await (older ? older.device.enrol(client.device) : client.device.register())
      await client.device.publishKeyPackages(4)
      clients.push(client)
    }
    return clients as { [Index in keyof Names]: Client }
  }

  unknown(user: string, device: string, options: Partial<ClientOptions> = {}): Promise<Client> {
    return Client.create({ baseUrl: this.url, domain: 'localhost', user, device, retries: 0, ...options })
  }

  async group(creator: Client, others: readonly Client[], wish: Partial<NewGroup> = {}): Promise<Group> {
    const groupId = utf8(`group-${process.pid}-${++this.#serial}`)
    const group = await creator.createGroup({ groupId, ...wish, policy: { external_join: 'same-user', ...wish.policy } })
    if (others.length > 0) await group.add(...new Set(others.map(({ user }) => user)))
    await this.sync(...others)
    return group
  }

  /** Everything that waits for these clients. */
  async sync(...clients: readonly Client[]): Promise<void> {
    for (const client of clients) {
      while ((await client.poll()) > 0);
      for (const group of client.groups.values()) if (group.record.standing === 'member') await group.catchUp()
    }
  }

  /** A device of this user with the server's own keys: rows that no user has asked for, past every check of the database. */
  async ghostOf(victim: Client): Promise<Client> {
    const [, , , , name = ''] = victim.user.split('/')
    const ghost = await this.unknown(name, `ghost${++this.#serial}`, { identity: false })
    const rows: string[] = []
    for (const [id, { publicKey }] of ghost.device.record.keys) rows.push(`(${(await suite(id)).scheme}, '\\x${toHex(publicKey)}'::bytea)`)
    await this.server.pool.query('ALTER TABLE device DISABLE TRIGGER USER')
    await this.server.pool.query(
      `WITH new AS (INSERT INTO device (account_id, client_uri) SELECT id, '${ghost.uri}' FROM account WHERE user_uri = '${victim.user}' RETURNING id)
       INSERT INTO signature_key (device_id, scheme, public_key) SELECT new.id, key.scheme, key.bytes FROM new, (VALUES ${rows.join(', ')}) AS key (scheme, bytes)`,
    )
    await this.server.pool.query('ALTER TABLE device ENABLE TRIGGER USER')
    await ghost.device.login()
    return ghost
  }

  /** The group's policy as its admins never made it. */
  async setPolicy(group: Group, change: string): Promise<void> {
    await this.server.pool.query(`UPDATE group_policy SET ${change} WHERE gid = (SELECT gid FROM groups WHERE group_id = $1)`, [
      Buffer.from(group.record.groupId),
    ])
  }

  #told(path: string, type: string, body: Buffer): Buffer {
    const lies = this.#lies.filter((one) => one.path.test(path))
    if (lies.length === 0 || !type.includes('cbor')) return body
    const user = decodeURIComponent(/[?&]user=([^&]+)/u.exec(path)?.[1] ?? '')
    return Buffer.from(encode(lies.reduce<unknown>((answer, { lie }) => lie(answer, { path, user }), decode(body))))
  }
}

/** One for all tests of a file; after each it is as it was. */
export function useMaliciousServer(): MaliciousServer {
  const server = new MaliciousServer()
  beforeAll(() => server.start())
  afterEach(() => server.tellTheTruth())
  afterAll(() => server.stop())
  return server
}
