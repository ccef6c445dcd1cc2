import { describe, expect, it } from '@jest/globals'
import { encodeNotifyResponse, type NotifyResponse } from '../../protocol/mimi/microchat/notify-response.js'
import { Delivery } from './delivery.js'
import { PeerLane } from './peer-lane.js'

const HEAD = 10n
const entry = {
  kind: 'application',
  epoch: 0n,
  message: { acceptedAtMs: 0n, message: new Uint8Array(), kind: 'application', proposals: [] },
} as const
const BATCH = {
  groupId: new Uint8Array(1),
  roomId: 'mimi://a.example/r/room',
  mode: 'public',
  cipherSuite: 1,
  incarnation: 1,
  postFloor: 0n,
  frozen: 'no',
  successor: undefined,
  gap: 'none',
  firstSeq: 5n,
  previousChain: new Uint8Array(32),
  entries: [entry, entry],
  roster: [],
  welcomes: [],
  head: { signedAtMs: 0n, keyId: 'k', signature: new Uint8Array() },
} as const

/** A hub of one group with ten entries, of which the peer has four; the peer answers as the test says. */
function hub(answer: () => NotifyResponse) {
  const statements: string[] = []
  const isStopped = () => statements.some((one) => one.startsWith('UPDATE peer_cursor SET failures'))
  let sent = 0
  const query = async ({ name, text, values }: { name?: string; text: string; values: unknown[] }) => {
    statements.push(text.trim().split(/\s+/).slice(0, 4).join(' '))
    if (name === 'due_groups') return { rows: isStopped() ? [] : [{ gid: 1n }] }
    return { rows: [{ beyond: (values[2] as bigint) > HEAD }] }
  }
  const batches = { next: async () => ({ batch: BATCH, lastSeq: 6n }) }
  const send = async () => {
    sent++
    return { kind: 'answered', status: 200, body: encodeNotifyResponse(answer()), retryAfter: undefined, problem: undefined }
  }
  const events = { record: () => undefined }
  const delivery = new Delivery({ query } as never, batches as never, { send } as never, events as never)
  const level = { deliver: async () => ({ kind: 'level' }) } as never
  const lane = new PeerLane({ query } as never, delivery, level, level)
  const { signal } = new AbortController()
  return {
    deliver: () => delivery.deliver('b.example', 1n, signal),
    run: () => lane.run('b.example', performance.now() + 60_000, signal),
    isStopped,
    sent: () => sent,
  }
}
const received = (receivedThrough: bigint): NotifyResponse => ({ code: 'received', incarnation: 1, receivedThrough })
const have = (receivedThrough: bigint, incarnation = 1): NotifyResponse => ({ code: 'have', incarnation, receivedThrough })

describe('a peer whose answers make no sense', () => {
  it.each([
    ['it received less than it had', received(3n)],
    ['it received nothing of a batch', received(4n)],
    ['it has more than there is', have(11n)],
    ['it has more than a column holds', have(2n ** 64n - 1n)],
    ['it has what the batch continues', have(4n)],
  ])('is not sent the same again forever: %s', async (_what, answer) => {
    const one = hub(() => answer)
    expect(await one.deliver()).toEqual({ kind: 'stopped' })
    expect(one.isStopped()).toBe(true)
  })
  it.each([
    ['it received all', received(6n), 'moved'],
    ['it received a part', received(5n), 'moved'],
    ['it received more than was sent', received(99n), 'moved'],
    ['it has a little more', have(8n), 'relocated'],
    ['it has less, as after a restore', have(1n), 'relocated'],
    ['it is of an incarnation that no column holds', have(8n, 2 ** 32 - 1), 'relocated'],
  ])('differs from one whose answers do: %s', async (_what, answer, kind) => {
    const one = hub(() => answer)
    expect(await one.deliver()).toEqual({ kind })
    expect(one.isStopped()).toBe(false)
  })
  it('and that names one place after another loses that group, and no other', async () => {
    let place = 0n
    const one = hub(() => have((place = place === 1n ? 8n : 1n)))
    expect(await one.run()).toEqual({ kind: 'level' })
    expect([one.isStopped(), one.sent()]).toEqual([true, 4])
  })
})

describe('a peer, or a proxy before it, that takes less than a batch', () => {
  const tooLarge = { kind: 'unsigned', status: 413, retryAfter: undefined, detail: '' }
  const made = (entries: number) => {
    const shares: number[] = []
    const statements: string[] = []
    const query = async ({ text }: { text: string }) => ({ rows: [], text: statements.push(text) })
    const next = async (_domain: string, _gid: bigint, { share }: { share: number }) => {
      shares.push(share)
      return { batch: { ...BATCH, entries: BATCH.entries.slice(0, entries) }, lastSeq: 6n }
    }
    const events = { record: () => undefined }
    let answer: object = tooLarge
    const delivery = new Delivery({ query } as never, { next } as never, { send: async () => answer } as never, events as never)
    const takeAll = () => {
      answer = { kind: 'answered', status: 200, body: encodeNotifyResponse(received(6n)), retryAfter: undefined, problem: undefined }
    }
    return { shares, statements, takeAll, deliver: () => delivery.deliver('b.example', 1n, new AbortController().signal) }
  }

  it('is sent half as much, and again half', async () => {
    const { shares, statements, deliver } = made(2)
    for (let times = 0; times < 3; times++) expect(await deliver()).toEqual({ kind: 'moved' })
    expect(shares).toEqual([1, 0.5, 0.25])
    expect(statements).toEqual([])
  })

  it('is sent more again once it has taken some, and the whole in the end', async () => {
    const { shares, deliver, takeAll } = made(2)
    for (let times = 0; times < 2; times++) await deliver()
    takeAll()
    for (let times = 0; times < 33; times++) await deliver()
    expect(shares.slice(2, 18)).toEqual(Array<number>(16).fill(0.25))
    expect(shares.slice(18, 34)).toEqual(Array<number>(16).fill(0.5))
    expect(shares.at(-1)).toBe(1)
  })

  it('does without the group whose next entry cannot be divided, and only without that', async () => {
    const { statements, deliver } = made(1)
    expect(await deliver()).toEqual({ kind: 'stopped' })
    expect(statements).toEqual([expect.stringContaining('SET failures')])
  })
})
