import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { NoAnswer, ServerProblem } from '../../examples/client/http.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { at, useStage } from '../groups/group-fixture.js'
import { eventually } from '../support/eventually.js'

const stage = useStage({ MESSAGES_PER_MINUTE: '60' })
const connected: Client[] = []
afterEach(async () => {
  await Promise.all(connected.splice(0).map((client) => client.disconnect()))
})

async function connect(...clients: readonly Client[]): Promise<void> {
  for (const client of clients) {
    const { lives } = client
    client.connect()
    connected.push(client)
    await client.until('the stream is live', () => client.lives > lives)
  }
}

/** A number of /metrics, as it is now: what the server shows may be a second old. 0 if it is not there. */
async function counted(name: string): Promise<number> {
  const lines = (await stage.server.app.get(Metrics, { strict: false }).registry.metrics()).split('\n')
  return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length) ?? 0)
}

const post = (group: Group, message: Uint8Array, incarnation = 1) => group.device.stream!.post(group.record.groupId, message, incarnation)
const message = (group: Group, text: string) => group.encrypt(text, group.epoch)
const byHttp = (group: Group, bytes: Uint8Array) => group.device.http.postMessage(`${group.path}/messages`, bytes)

/** Status and kind of what a post was refused with. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ServerProblem)) throw new Error('It was not refused', { cause: error })
  return `${error.status} ${error.kind}`
}

/** PrivateMessage (RFC 9420 §6.3.1) of content type application that nobody can decrypt; the server cannot know that. */
function opaque(group: Group, epoch = group.epoch, bytes = 100): Uint8Array {
  const { groupId } = group.record
  const head = Buffer.alloc(8)
  head.writeBigUInt64BE(BigInt(epoch))
  const vector = (length: number) => (length < 64 ? Buffer.of(length) : Buffer.of(0x40 | (length >> 8), length & 0xff))
  const field = (value: Uint8Array) => Buffer.concat([vector(value.length), value])
  const parts = [
    Buffer.of(0, 1, 0, 2),
    field(groupId),
    head,
    Buffer.of(1),
    field(Buffer.of()),
    field(randomBytes(28)),
    field(randomBytes(bytes)),
  ]
  return new Uint8Array(Buffer.concat(parts))
}

describe('a post over the stream', () => {
  it('reaches all members, the sender too, and is answered with its place in the log', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    alice.device.posts = 'stream'
    await connect(alice, bob)
    const before = group.record.cursor
    const accepted = await group.send('hello')
    await bob.until('the message', () => at(bob, group).texts.includes('hello'))
    await alice.until('its own', () => group.record.cursor === before + 1)
    expect(accepted).toMatchObject({ seq: before + 1, epoch: group.epoch, incarnation: 1 })
    const { rows } = await stage.pool.query('SELECT chain FROM log WHERE gid = $1 AND seq = $2', [await stage.gid(group), accepted.seq])
    expect(rows).toEqual([{ chain: Buffer.from(accepted.chain) }])
    // Nobody on this node reads the log for it, whatever its size.
    const read = await counted('delivery_live_batches_total{source="log"}')
    await group.send('x'.repeat(20_000))
    await bob.until('the large one', () => at(bob, group).record.cursor === before + 2)
    expect(await counted('delivery_live_batches_total{source="log"}')).toBe(read)
    // It is not sent by HTTP as well.
    expect(await counted('delivery_posts_total{status="200"}')).toBe(2)
  })

  it('gets the same answer twice, by either way', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    await connect(alice)
    const bytes = await message(group, 'once')
    const first = await post(group, bytes)
    expect(await post(group, bytes)).toMatchObject({ seq: first.seq })
    expect(await byHttp(group, bytes)).toMatchObject({ seq: first.seq })
  })

  it('is one of many under way: each is answered by its own id, once', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    await connect(alice)
    const answers = await Promise.all(Array.from({ length: 40 }, () => post(group, opaque(group))))
    const seqs = answers.map(({ seq }) => seq).toSorted((a, b) => a - b)
    expect(new Set(seqs).size).toBe(40)
    expect(seqs.at(-1)! - seqs[0]!).toBe(39)
  })
})

describe('a post over the stream is refused as by HTTP', () => {
  it.each<[string, string, (group: Group, outsider: Group) => Promise<unknown>]>([
    ['to a group of others', '404 not-found', (group, outsider) => outsider.device.stream!.post(group.record.groupId, opaque(group), 1)],
    ['of no MLSMessage', '422 undecodable', (group) => post(group, new Uint8Array(50))],
    ['without bytes', '422 undecodable', (group) => post(group, new Uint8Array())],
    ['of an epoch that is to come', '409 epoch-ahead', (group) => post(group, opaque(group, group.epoch + 1))],
    ['made in another incarnation', '409 incarnation-changed', (group) => post(group, opaque(group), 7)],
  ])('%s: %s', async (_name, wanted, attempt) => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice)
    const own = await stage.group(mallory)
    await connect(alice, mallory)
    expect(await refusal(attempt(group, own))).toBe(wanted)
    // The stream goes on.
    await post(group, opaque(group))
  })

  it('brings what was missed along with a stale epoch', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    await connect(alice)
    const old = opaque(group, 0)
    for (let commit = 0; commit < 7; commit++) await group.update()
    const error = await post(group, old).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ status: 409, kind: 'stale-epoch' })
    expect((error as ServerProblem).document['current_epoch']).toBe(group.epoch)
  })

  it('beyond the limit of messages, which counts both ways together', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    await connect(alice)
    await Promise.all(Array.from({ length: 45 }, () => post(group, opaque(group))))
    await Promise.all(Array.from({ length: 15 }, () => byHttp(group, opaque(group))))
    expect(await refusal(post(group, opaque(group)))).toBe('429 rate-limited')
    const error = await post(group, opaque(group)).catch((thrown: unknown) => thrown)
    expect((error as ServerProblem).document['retry_after']).toBeGreaterThan(0)
  })
})

describe('a session that has ended', () => {
  it('posts nothing more, although its stream has not heard of it', async () => {
    const [alice, laptop] = await stage.cast('alice', 'alice/laptop')
    const group = await stage.group(laptop)
    await connect(laptop)
    // Without a hint, as if it had been lost on the way from another node.
    await stage.pool.query('UPDATE device SET revoked_at = now() WHERE client_uri = $1', [laptop.uri])
    const refused = () =>
      post(group, opaque(group)).then(
        () => 'accepted',
        (error: unknown) => (error instanceof NoAnswer ? 'closed' : (error as ServerProblem).kind),
      )
    // What was asked a moment ago holds for a second, as for requests.
    expect(await eventually(refused, (outcome) => outcome !== 'accepted')).toMatch(/^(device-revoked|closed)$/)
    expect(alice.uri).not.toBe(laptop.uri)
  })
})

describe('many posts at once', () => {
  it('wait in the network while sixteen are under way, and none is lost', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice)
    await connect(alice)
    const gid = await stage.gid(group)
    const lock = await stage.pool.connect()
    const answered: number[] = []
    try {
      await lock.query('BEGIN')
      await lock.query('SELECT FROM groups WHERE gid = $1 FOR UPDATE', [gid])
      const received = () => counted('delivery_frames_received_total{kind="post"}')
      const before = await received()
      const all = Array.from({ length: 50 }, () => post(group, opaque(group, group.epoch, 3_000)).then(({ seq }) => answered.push(seq)))
      const underWay = () => counted('http_requests_in_flight')
      await eventually(underWay, (count) => count >= 16)
      // HTTP has room beside them.
      await alice.device.http.get('/v1/me')
      expect(await underWay()).toBeLessThanOrEqual(17)
      // One piece of what came may have brought another one; the rest is not read.
      expect((await received()) - before).toBeLessThanOrEqual(18)
      expect(answered).toEqual([])
      await lock.query('ROLLBACK')
      await Promise.all(all)
    } finally {
      lock.release()
    }
    expect(new Set(answered).size).toBe(50)
  })
})
