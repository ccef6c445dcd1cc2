import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HttpAdapterHost } from '@nestjs/core'
import type { Pool } from 'pg'
import { pino } from 'pino'
import { AckFlusher } from '../../src/delivery/acks/ack-flusher.js'
import { appendMessages, type AppendOutcome } from '../../src/delivery/append/append.repository.js'
import { DeliveryMetrics } from '../../src/delivery/delivery-metrics.js'
import { Feeds } from '../../src/delivery/feed/feeds.js'
import { Interest } from '../../src/delivery/interest.js'
import { Posts } from '../../src/delivery/stream/posts/posts.js'
import { StreamResources } from '../../src/delivery/stream/stream-resources.js'
import { StreamServer } from '../../src/delivery/stream/stream-server.js'
import { streamSettings, type StreamSettings } from '../../src/delivery/stream/stream-settings.js'
import { Streams } from '../../src/delivery/stream/streams.js'
import { NodeSweep } from '../../src/delivery/sweep/node-sweep.js'
import { submitCommit } from '../../src/groups/repository/submissions.repository.js'
import type { Caller } from '../../src/authentication/session/caller.js'
import { loadConfig } from '../../src/platform/config/config.js'
import { Hints } from '../../src/platform/hints/hints.js'
import type { Credentials } from '../../src/authentication/session/sessions.js'
import { Problem, Unauthenticated } from '../../src/platform/http/problem.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { RedisClients } from '../../src/platform/redis/redis-clients.js'
import { RedisSubscription } from '../../src/platform/redis/redis-subscription.js'
import { Secrets } from '../../src/platform/secrets.js'
import { commitOf, messageOf, newGroup } from '../ordering/submission-fixture.js'
import { testEnvironment } from '../support/server.js'

const log = pino({ level: process.env['TEST_LOG'] ?? 'silent' })

/** Hints between the nodes of a test, as Redis would carry them. */
export function createHints(): Hints {
  const config = loadConfig(testEnvironment('postgres://localhost/none'))
  const [redis, metrics] = [new RedisClients(config), new Metrics()]
  return new Hints(redis, new RedisSubscription(redis, metrics, log), new Secrets(config), metrics, log)
}

/** Tokens of a test: whose it is and when it runs out, in plain text. */
export function tokenOf(deviceId: bigint, expiresAt = Date.now() + 300_000): string {
  return `device.${deviceId}.${expiresAt}`
}
async function authenticate({ token }: Pick<Credentials, 'token'>): Promise<Caller> {
  const match = /^device\.(\d+)\.(\d+)$/.exec(token)
  if (!match || Number(match[2]) <= Date.now()) throw new Unauthenticated()
  const deviceId = BigInt(match[1] ?? 0)
  return {
    deviceId,
    userId: deviceId,
    client: `mimi://localhost/d/u/${deviceId}`,
    user: 'mimi://localhost/u/u',
    generation: 0,
    expiresAt: new Date(Number(match[2])),
  }
}

export interface TestNode {
  wsUrl: string
  hints: Hints
  interest: Interest
  acks: AckFlusher
  streams: Streams
  metrics: DeliveryMetrics
  sweep: NodeSweep
  server: StreamServer
  close(): Promise<void>
}

/** The delivery of one node, without the rest of the server: sweeps and flushes only when the test says so. */
export async function startNode(pool: Pool, changes: Partial<StreamSettings> = {}, hints = createHints()): Promise<TestNode> {
  const config = loadConfig(testEnvironment('postgres://localhost/none', { STREAM_ACK_FLUSH: '10m' }))
  const metrics = new DeliveryMetrics(new Metrics())
  const interest = new Interest(hints)
  const acks = new AckFlusher(pool, config, log, metrics)
  const resources = new StreamResources(pool, new Feeds(pool, interest, metrics, log), acks, metrics, {
    ...streamSettings(config, { refuses: () => false }, new Posts()),
    drainMs: 50,
    ...changes,
  })
  const streams = new Streams(interest, hints, metrics, pool, log)
  const server = new StreamServer({ authenticate, check: async () => undefined }, resources, streams, {} as HttpAdapterHost, log)
  const http = createServer((_request, response) => response.writeHead(404).end())
  server.attach(http)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const sweep = new NodeSweep(pool, interest, config, log)
  const close = async () => {
    await server.drain()
    interest.onModuleDestroy()
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  }
  return { wsUrl: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`, hints, interest, acks, streams, metrics, sweep, server, close }
}

export async function newDevice(pool: Pool): Promise<bigint> {
  const { rows } = await pool.query<{ id: bigint }>(`
    WITH made AS (INSERT INTO account (user_uri) VALUES ('mimi://localhost/u/' || gen_random_uuid()) RETURNING id)
    INSERT INTO device (account_id, client_uri) SELECT id, 'mimi://localhost/d/' || gen_random_uuid() FROM made RETURNING id`)
  return rows[0]!.id
}

/** A group in the database and what happens in it, with or without hints. */
export class TestGroup {
  epoch = 0n
  constructor(
    private readonly pool: Pool,
    readonly gid: bigint,
    readonly groupId: Buffer,
    readonly creator: bigint,
  ) {}

  static async create(pool: Pool, creator: bigint): Promise<TestGroup> {
    const { gid, groupId } = await newGroup(pool, creator)
    return new TestGroup(pool, gid, Buffer.from(groupId), creator)
  }

  /** Application messages of the creator; @returns the seq of the last. */
  async say(count: number, epoch = this.epoch, bytes = 64): Promise<bigint> {
    const items = Array.from({ length: count }, () => messageOf(this.gid, this.creator, epoch, randomBytes(bytes)))
    const outcomes = await appendMessages(this.pool, items, 5)
    return seqOf(outcomes.at(-1))
  }

  async add(deviceId: bigint, welcome: 'welcome' | 'no welcome' = 'no welcome'): Promise<bigint> {
    return this.commit({
      added: [{ deviceId, welcome: welcome === 'welcome' ? 0 : null }],
      welcomes: welcome === 'welcome' ? [{ bytes: Buffer.from(`welcome ${deviceId}`), expiresAt: new Date(Date.now() + 86_400_000) }] : [],
    })
  }

  async remove(deviceId: bigint): Promise<bigint> {
    return this.commit({ removed: [{ deviceId, reason: 'removed' }] })
  }

  async commit(changes: Parameters<typeof commitOf>[3] = {}): Promise<bigint> {
    const done = await submitCommit(this.pool, commitOf(this.gid, this.creator, this.epoch, changes))
    if (done.kind !== 'accepted') throw new Error(done.kind)
    this.epoch = done.epoch
    return done.seq
  }

  async acked(deviceId: bigint): Promise<bigint[]> {
    const { rows } = await this.pool.query<{ acked: bigint }>(
      'SELECT acked FROM member WHERE device_id = $1 AND gid = $2 ORDER BY from_seq',
      [deviceId, this.gid],
    )
    return rows.map((row) => row.acked)
  }
}

export const callerOf = (deviceId: bigint): Caller => ({ deviceId, userId: 1n, client: '', user: '', generation: 0, expiresAt: new Date() })
export const seqsOf = (page: { entries: { seq: bigint }[] }) => page.entries.map((entry) => Number(entry.seq))

/** What a refused request is refused with; undefined if it was not. */
export function problemOf(work: Promise<unknown>): Promise<Problem | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof Problem) return error
      throw error
    },
  )
}

function seqOf(outcome: AppendOutcome | undefined): bigint {
  if (outcome?.kind !== 'accepted') throw new Error(outcome?.kind ?? 'no outcome')
  return outcome.seq
}
