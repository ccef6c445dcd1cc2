import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import { STREAM_READS } from '../../src/delivery/socket/stream-limits.js'
import { SLICE_BYTES } from '../../src/platform/admission/read-in-turns.js'
import { encodeFrame } from '../../src/protocol/frames.js'
import { newDevice, TestGroup, type TestNode } from '../delivery/delivery-node-fixture.js'
import { upTo, useStreamNodes } from '../delivery/stream-fixture.js'
import type { StreamClient } from '../delivery/stream-client.js'
import { useTestDatabase } from '../support/database.js'

const database = useTestDatabase()
const { start, connect } = useStreamNodes(database)

const frames = async (node: TestNode, kind?: string) =>
  (await node.metrics.framesReceived.get()).values
    .filter(({ labels }) => kind === undefined || labels['kind'] === kind)
    .reduce((sum, { value }) => sum + value, 0)
const paused = async (node: TestNode) => (await node.metrics.readingPaused.get()).values[0]?.value ?? 0
const refused = async (node: TestNode) => (await node.metrics.limitsRefused.get()).values.map(({ labels }) => labels['limit'])

async function liveClient(node: TestNode): Promise<StreamClient> {
  const client = await connect(node, await newDevice(database.pool))
  await client.live()
  return client
}

/** Sends the bytes again and again, as fast as they are taken, until the stream is closed. @returns how many times */
async function flood(client: StreamClient, bytes: Uint8Array): Promise<number> {
  let sent = 0
  while (!client.closed) {
    while (client.socket.bufferedAmount < 256 * 1024 && client.socket.readyState === client.socket.OPEN) {
      client.socket.send(bytes)
      sent += 1
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return sent
}

const FLOODS: [string, Uint8Array, string][] = [
  ['pings', encodeFrame({ t: 'ping', n: 1 }), 'stream-frames'],
  [
    'acks of groups that it is not in',
    encodeFrame({ t: 'ack', acks: upTo(1_000).map((seq) => ({ group_id: randomBytes(2), incarnation: 1, seq })) }),
    'stream-bytes',
  ],
  ['acks of inbox items that it was not sent', encodeFrame({ t: 'inbox-ack', ids: upTo(1_024) }), 'stream-bytes'],
]

describe('a stream that sends without end', () => {
  it.each(FLOODS)('%s is read at its rate only, then closed with 1008', async (_what, bytes, limit) => {
    const node = await start({ floodMs: 500 })
    const client = await liveClient(node)
    const begun = performance.now()
    const sent = await flood(client, bytes)
    const seconds = (performance.now() - begun) / 1_000
    expect(client.closed?.code).toBe(1008)
    expect(await refused(node)).toEqual([limit])
    // Its burst, its rate since, and at most one slice more: most of what it sent was never read.
    const read = await frames(node)
    expect(read).toBeLessThanOrEqual(2_000 + 200 * seconds + SLICE_BYTES / (bytes.length + 6) + 2)
    expect(read * (bytes.length + 6)).toBeLessThanOrEqual(256 * 1024 + 64 * 1024 * (seconds + 1) + 2 * SLICE_BYTES)
    expect(sent).toBeGreaterThan(read)
  })

  it('takes no turn of the event loop for more than a few slices, with others like it', async () => {
    const node = await start({ frameRate: { perSecond: 1e6, burst: 1e6 }, byteRate: { perSecond: 1e8, burst: 1e8 } })
    const clients = await Promise.all(upTo(4).map(() => liveClient(node)))
    const bytes = encodeFrame({ t: 'ping', n: 1 })
    const perTurn = (STREAM_READS.value * SLICE_BYTES) / (bytes.length + 6)
    const before = await frames(node)
    let [seen, most] = [before, 0]
    for (const client of clients) for (let sent = 0; sent < 3_000; sent++) client.socket.send(bytes)
    while (seen < before + 12_000) {
      await new Promise((resolve) => setImmediate(resolve))
      const now = await frames(node)
      most = Math.max(most, now - seen)
      seen = now
    }
    expect(most).toBeLessThanOrEqual(perTurn + STREAM_READS.value)
  })
})

describe('a stream within its rates', () => {
  it('survives a burst of 3,000 pings, answered as far as its answers are taken', async () => {
    const node = await start({ frameRate: { perSecond: 1_000, burst: 2_000 }, byteRate: { perSecond: 1e6, burst: 256 * 1024 } })
    const client = await liveClient(node)
    let last = ''
    client.socket.on('pong', (payload) => (last = payload.toString()))
    for (let sent = 1; sent <= 3_000; sent++) client.socket.ping(String(sent).padEnd(120, '.'))
    while (!last.startsWith('3000.')) await once(client.socket, 'pong')
    expect(client.closed).toBeUndefined()
    expect(await paused(node)).toBeGreaterThan(0)
  })

  it('may acknowledge every entry by itself, however many there are', async () => {
    const node = await start({ frameRate: { perSecond: 1, burst: 10 }, byteRate: { perSecond: 1_024, burst: 128 * 1024 } })
    const device = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, device)
    await group.say(3_000)
    const client = await connect(node, device)
    let acked = 0
    client.socket.on('message', () => {
      for (const { seq } of client.entries(group).slice(acked)) client.ack(group, seq)
      acked = client.entries(group).length
    })
    await client.untilSeq(group, 3_000)
    await client.live()
    expect(await frames(node, 'ack')).toBeGreaterThan(1_900)
    expect(await paused(node)).toBe(0)
  })

  it('may name 1,024 groups at once when it resumes, and when it acknowledges', async () => {
    const node = await start()
    const positions = upTo(1_024).map((seq) => ({ group_id: randomBytes(16), incarnation: 1, seq }))
    const client = await connect(node, await newDevice(database.pool), { resume: { t: 'resume', positions } })
    await client.live()
    client.send({ t: 'ack', acks: positions })
    client.send({ t: 'ping', n: 7 })
    await client.until('the answer', () => client.of('pong').length === 1)
    expect(await paused(node)).toBe(0)
  })
})

describe('a message in pieces', () => {
  it('of which there are very many is refused with 1008', async () => {
    const client = await liveClient(await start())
    for (let piece = 0; piece < 100; piece++) client.socket.send(Buffer.alloc(0), { fin: false, binary: true })
    expect(await client.code()).toBe(1008)
  })
})
