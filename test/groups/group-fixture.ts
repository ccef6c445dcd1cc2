import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll } from '@jest/globals'
import type { Pool } from 'pg'
import { Client } from '../../examples/client/client.js'
import { buildCommit } from '../../examples/client/commits.js'
import { applyEntry, type Entry } from '../../examples/client/entries.js'
import { Group, type Accepted } from '../../examples/client/group.js'
import { ServerProblem } from '../../examples/client/http.js'
import { joinByWelcome, type NewGroup } from '../../examples/client/joining.js'
import { suite } from '../../examples/client/mls/suites.js'
import type { CommitBundle, GroupRecord, PendingCommit } from '../../examples/client/store.js'
import { utf8 } from '../../examples/client/wire.js'
import type { Proposal } from 'ts-mls'
import { LargeTrees } from '../../src/groups/state/trees/large-trees.js'
import { startServer, type TestServer } from '../support/server.js'
import { GENEROUS } from '../support/world.js'

/** Real MLS clients without streams: what they would be sent is read from the database, so only this side of the server is under test. */
export class Stage {
  server!: TestServer
  /** false: the devices that are cast from here on are of users without a device list. */
  identity = true
  private readonly clients = new Map<string, Client>()

  get pool(): Pool {
    return this.server.pool
  }

  get trees(): LargeTrees {
    return this.server.app.get(LargeTrees, { strict: false })
  }

  /** `alice` or `alice/laptop`; a second device is enrolled by one of the same user that came before it. */
  async cast<const Names extends readonly string[]>(...names: Names): Promise<{ [Index in keyof Names]: Client }> {
    const tag = randomUUID().slice(0, 8)
    const cast: Client[] = []
    for (const one of names) {
      const [name = '', device = 'phone'] = one.split('/')
      const client = await Client.create({
        baseUrl: this.server.url,
        domain: 'localhost',
        user: `${name}-${tag}`,
        device,
        retries: 0,
        identity: this.identity,
      })
      // For SelfRemoves, which the tests write themselves.
      client.device.proposalTypes = [0x000a]
      const older = cast.find(({ user }) => user === client.user)
      await (older ? older.device.enrol(client.device) : client.device.register())
      await client.device.publishKeyPackages(3)
      this.clients.set(client.uri, client)
      cast.push(client)
    }
    return cast as { [Index in keyof Names]: Client }
  }

  /** Members may come back from outside (resync), and leaves need no certificate, unless the wish says otherwise. */
  async group(creator: Client, others: readonly Client[] = [], wish: Partial<NewGroup> = {}): Promise<Group> {
    const policy = { external_join: 'same-user', identities: 'any', ...wish.policy } as const
    const group = await creator.createGroup({ groupId: utf8(randomUUID()), ...wish, policy })
    const users = new Set(others.map(({ user }) => user))
    if (users.size > 0) await group.add(...users)
    for (const other of others) await this.sync(other)
    return group
  }

  /** Everything that waits for a device, in the order in which a stream would send it: Welcomes first. */
  async sync(...clients: readonly Client[]): Promise<void> {
    for (const client of clients) {
      const deviceId = await this.deviceId(client)
      await this.welcomes(client, deviceId)
      for (const group of client.groups.values()) await this.entries(group, deviceId)
    }
  }

  async deviceId(client: Client): Promise<bigint> {
    const { rows } = await this.pool.query<{ id: bigint }>('SELECT id FROM device WHERE client_uri = $1', [client.uri])
    return rows[0]!.id
  }

  async gid(group: Group): Promise<bigint> {
    const { rows } = await this.pool.query<{ gid: bigint }>('SELECT gid FROM groups WHERE group_id = $1', [group.record.groupId])
    return rows[0]!.gid
  }

  /** The kinds and epochs of a group's log. */
  async log(group: Group): Promise<string[]> {
    const { rows } = await this.pool.query<{ kind: string; epoch: bigint }>('SELECT kind, epoch FROM log WHERE gid = $1 ORDER BY seq', [
      await this.gid(group),
    ])
    return rows.map(({ kind, epoch }) => `${kind}${epoch}`)
  }

  private async welcomes(client: Client, deviceId: bigint): Promise<void> {
    const { rows } = await this.pool.query<{ group_id: Buffer; incarnation: number; epoch: bigint; seq: bigint; welcome: Buffer }>(
      `
      WITH taken AS (DELETE FROM inbox WHERE device_id = $1 AND kind = 'welcome' RETURNING gid, seq, ordinal)
      SELECT g.group_id, g.incarnation, w.epoch, w.seq, w.bytes AS welcome FROM taken t JOIN groups g USING (gid)
        JOIN welcome w ON w.gid = t.gid AND w.seq = t.seq AND w.ordinal = t.ordinal ORDER BY t.gid, t.seq`,
      [deviceId],
    )
    for (const { epoch, seq, ...row } of rows) {
      client.store.put(await joinByWelcome(client.device, { ...row, epoch: Number(epoch), seq: Number(seq) }, client.store))
      client.groups.set(Buffer.from(row.group_id).toString('hex'), groupOf(client, row.group_id))
    }
  }

  private async entries(group: Group, deviceId: bigint): Promise<void> {
    const { rows } = await this.pool.query<{
      seq: bigint
      kind: 'c' | 'p' | 'a'
      epoch: bigint
      hash: Buffer
      chain: Buffer
      bytes: Buffer
    }>(
      `
      SELECT DISTINCT l.seq, l.kind, l.epoch, l.hash, l.chain, l.bytes FROM log l JOIN groups g USING (gid)
        JOIN member m ON m.gid = l.gid AND m.device_id = $1 AND l.seq >= m.from_seq AND (m.until_seq IS NULL OR l.seq <= m.until_seq)
       WHERE g.group_id = $2 AND l.seq > $3 ORDER BY l.seq`,
      [deviceId, group.record.groupId, group.record.cursor],
    )
    const { impl } = await suite(group.record.suite)
    for (const row of rows) await applyEntry(group.record, entryOf(group, row), impl)
  }
}

const KINDS = { c: 'commit', p: 'proposal', a: 'application' } as const

function entryOf(
  group: Group,
  row: { seq: bigint; kind: 'c' | 'p' | 'a'; epoch: bigint; hash: Buffer; chain: Buffer; bytes: Buffer },
): Entry {
  return {
    group_id: group.record.groupId,
    incarnation: 1,
    seq: Number(row.seq),
    kind: KINDS[row.kind],
    epoch: Number(row.epoch),
    accepted_at: 0,
    hash: row.hash,
    chain: row.chain,
    message: new Uint8Array(row.bytes),
  }
}

function groupOf(client: Client, groupId: Uint8Array): Group {
  const record = client.store.group(groupId)
  if (!record) throw new Error('not joined')
  return new Group(client.device, record)
}

/** One server and its clients for all tests of a file. */
export function useStage(overrides: Record<string, string> = {}): Stage {
  const stage = new Stage()
  beforeAll(async () => {
    stage.server = await startServer({ ...GENEROUS, ...overrides })
  })
  afterAll(() => stage.server.close())
  return stage
}

/** The group as this device knows it. */
export function at(client: Client, group: Group): Group {
  return client.group(group.record.groupId)
}

/** A Commit that is built, not sent; with `pretended` changes to what the client believes of its group. */
export async function draft(
  group: Group,
  proposals: readonly Proposal[] = [],
  pretended: Partial<GroupRecord> = {},
): Promise<PendingCommit> {
  return buildCommit({ ...group.record, ...pretended }, proposals, (await suite(group.record.suite)).impl)
}

/** Sends a bundle as it is; the sender's state stays where it was. */
export function submit(client: Client, group: Group, bundle: CommitBundle | Record<string, unknown>): Promise<Accepted> {
  return client.device.http.post<Accepted>(`${group.path}/commits`, bundle)
}

export interface Refusal {
  status: number
  kind: string
  document: Record<string, unknown>
}

/** The problem that a request ends with. */
export async function refusal(request: Promise<unknown>): Promise<Refusal> {
  const outcome = await request.then(
    (value) => value,
    (error: unknown) => error,
  )
  if (outcome instanceof ServerProblem) return outcome
  throw new Error(`Expected a refusal, not ${outcome instanceof Error ? outcome.stack : Object.keys(outcome ?? {}).join()}`)
}
