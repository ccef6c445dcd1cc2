import { describe, expect, it, jest } from '@jest/globals'
import { pino } from 'pino'
import type { Caller } from '../../../authentication/session/caller.js'
import { RateLimited } from '../../../platform/http/problem.js'
import { Metrics } from '../../../platform/observability/metrics.js'
import { decodeServerFrame, type AcceptedPost, type ServerFrame } from '../../../protocol/frames.js'
import { DeliveryMetrics } from '../../delivery-metrics.js'
import { PostQueue } from './post-queue.js'
import { Posts, type Post } from './posts.js'

const CALLER: Caller = { deviceId: 1n, userId: 1n, client: '', user: '', generation: 0, expiresAt: new Date() }
const ACCEPTED: AcceptedPost = { seq: 1, epoch: 1, incarnation: 1, chain: new Uint8Array(32) }
const BYTES = 100

/** A stream's posts, each of which waits until the test answers it. */
function queue() {
  const begun: { post: Post; accept(): void; refuse(error: Error): void }[] = []
  const frames: ServerFrame[] = []
  const seen = { charged: 0, resumed: 0, hasRoom: true }
  const posts = new Posts()
  posts.connect((_caller, post) => new Promise((resolve, reject) => begun.push({ post, accept: () => resolve(ACCEPTED), refuse: reject })))
  const connection = {
    get hasRoom() {
      return seen.hasRoom
    },
    sendEncoded(bytes: Uint8Array) {
      const decoded = decodeServerFrame(bytes)
      if (decoded.kind === 'malformed') throw new Error(decoded.reason)
      frames.push(decoded.frame)
    },
  }
  const logged: object[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => void logged.push(JSON.parse(line) as object) })
  const intake = { charge: (bytes: number) => void (seen.charged += bytes), resume: () => void (seen.resumed += 1) }
  const host = { caller: CALLER, connection, intake, checkSession: async () => undefined, log }
  const under = new PostQueue(posts, host, new DeliveryMetrics(new Metrics()))
  const push = (id: number, group = 1) => under.push({ t: 'post', id, group_id: Uint8Array.of(group), message: Uint8Array.of(2) }, BYTES)
  return { under, push, begun, frames, seen, logged }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('the posts of a stream', () => {
  it('begin up to sixteen at once; there is room again when all that came has begun', async () => {
    const { under, push, begun, seen } = queue()
    for (let id = 1; id <= 20; id++) push(id)
    await settled()
    expect([begun.length, under.hasRoom]).toEqual([16, false])
    for (const one of begun.slice(0, 4)) one.accept()
    await settled()
    expect([begun.length, under.hasRoom]).toEqual([20, false])
    const { resumed } = seen
    begun[4]!.accept()
    await settled()
    expect(under.hasRoom).toBe(true)
    expect(seen.resumed).toBeGreaterThan(resumed)
  })

  it('cost nothing of the rates of the stream where they are accepted, and their bytes where they are refused', async () => {
    const { push, begun, frames, seen } = queue()
    push(7)
    push(8)
    await settled()
    begun[0]!.accept()
    await settled()
    expect(seen.charged).toBe(0)
    begun[1]!.refuse(new RateLimited(3))
    await settled()
    expect(seen.charged).toBe(BYTES)
    expect(frames).toMatchObject([
      { t: 'posted', id: 7, seq: 1 },
      { t: 'refused', id: 8, retry_after: 3, problem: { type: 'urn:microchat:problem:rate-limited', status: 429 } },
    ])
  })

  it('say nothing about a failure that nobody expected but that there was one', async () => {
    const { push, begun, frames } = queue()
    push(1)
    await settled()
    begun[0]!.refuse(new Error('of the inside'))
    await settled()
    expect(frames).toMatchObject([{ t: 'refused', id: 1, problem: { status: 500 } }])
    expect(JSON.stringify(frames)).not.toContain('of the inside')
  })

  it('say in the log that only PostgreSQL refused a value, and not which', async () => {
    const { push, begun, frames, logged } = queue()
    push(1)
    await settled()
    begun[0]!.refuse(Object.assign(new Error('invalid: "of the inside"'), { code: '22P02' }))
    await settled()
    expect(frames).toMatchObject([{ t: 'refused', id: 1, problem: { status: 400 } }])
    expect(logged).toMatchObject([{ level: 40, code: '22P02', msg: 'only PostgreSQL refused a value' }])
    expect(JSON.stringify(logged)).not.toContain('of the inside')
  })

  it('do not begin while the client does not read its answers', async () => {
    const { under, push, begun, seen } = queue()
    seen.hasRoom = false
    push(1)
    await settled()
    expect([begun.length, under.hasRoom]).toEqual([0, false])
    seen.hasRoom = true
    under.goOn()
    await settled()
    expect(begun.length).toBe(1)
  })

  it('are dropped with the stream, unless they have begun', async () => {
    const { under, push, begun } = queue()
    for (let id = 1; id <= 20; id++) push(id)
    await settled()
    under.drop()
    for (const one of begun.splice(0)) one.accept()
    await settled()
    expect(begun).toEqual([])
  })

  it('that take longer than a second keep none to other groups from beginning, and of their own group more are refused', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] })
    const { under, push, begun, frames } = queue()
    for (let id = 1; id <= 17; id++) push(id)
    push(18, 2)
    await settled()
    expect(begun.length).toBe(16)
    jest.advanceTimersByTime(1_000)
    await settled()
    expect([begun.length, under.hasRoom]).toEqual([18, true])
    push(19)
    await settled()
    expect(begun.length).toBe(18)
    expect(frames).toMatchObject([{ t: 'refused', id: 19, retry_after: 1, problem: { status: 503 } }])
    // With the slow ones there are 24 at most.
    for (let id = 20; id <= 30; id++) push(id, id)
    await settled()
    expect([begun.length, under.hasRoom]).toEqual([24, false])
    jest.advanceTimersByTime(1_000)
    await settled()
    expect([begun.length, under.hasRoom]).toEqual([24, false])
    for (const one of begun.slice(0, 17)) one.accept()
    await settled()
    expect([begun.length, under.hasRoom]).toEqual([29, true])
    push(31)
    await settled()
    expect(begun.length).toBe(30)
    jest.useRealTimers()
  })
})
