import { describe, expect, it } from '@jest/globals'
import type { Hint } from '../../../platform/hints/hint.js'
import { Arrivals, type ArrivalTimes } from './arrivals.js'
import type { ReplicaPlace } from './place.repository.js'
import { ARRIVAL_LIMITS, Waits } from './waits.js'

const HOUR = 3_600_000
const home = (hub = 'a.example') => ({ hub, groupId: Buffer.from(hub), mlsGroupId: Buffer.from(hub), roomId: `mimi://${hub}/r/club` })

/** A follower whose copy is where the test says. */
function follower(times: Partial<ArrivalTimes> = {}, fetch: () => Promise<boolean> = async () => false) {
  const state: { place: ReplicaPlace | undefined; looks: number; fetches: number; expected: bigint[] } = {
    place: { gid: 7n, incarnation: 1, headSeq: 4n, ended: false },
    looks: 0,
    fetches: 0,
    expected: [],
  }
  let listener: (hint: Hint) => void = () => undefined
  const query = async () => {
    state.looks++
    return { rows: state.place ? [state.place] : [] }
  }
  const pull = {
    now: () => {
      state.fetches++
      return fetch()
    },
    expect: (_group: Uint8Array, seq: bigint) => state.expected.push(seq),
  }
  const hints = { subscribe: (given: typeof listener) => ((listener = given), () => undefined) }
  const all = { longest: HOUR, push: HOUR, look: HOUR, lookForFirst: 1, fetchAgain: HOUR, ...times }
  const arrivals = new Arrivals({ query } as never, pull as never, hints as never, all)
  arrivals.onModuleInit()
  /** As Replicas tells all nodes after each batch. */
  const receive = (headSeq: bigint, gid = 7n) => {
    state.place = { gid, incarnation: 1, headSeq, ended: false }
    listener({ kind: 'group', gid, headSeq })
  }
  return { arrivals, state, receive, hear: (gid: bigint) => listener({ kind: 'group', gid, headSeq: 0n }) }
}
const settled = async (promise: Promise<unknown>) => {
  let done = false
  void promise.then(() => (done = true))
  await new Promise((resolve) => setImmediate(resolve))
  return done
}
const at = (seq: bigint) => ({ seq, incarnation: 1 })

describe('the answer of a hub', () => {
  it('is passed on at once where the copy has the entry', async () => {
    const { arrivals, state } = follower()
    expect(await arrivals.of(home(), at(4n))).toBeUndefined()
    expect([state.looks, state.fetches, state.expected]).toEqual([1, 0, []])
  })

  it('waits for the batch, and for no other group’s', async () => {
    const { arrivals, state, receive, hear } = follower()
    const answered = arrivals.of(home(), at(6n))
    expect(await settled(answered)).toBe(false)
    hear(8n)
    expect(await settled(answered)).toBe(false)
    expect(state.looks).toBe(1)
    receive(5n)
    expect(await settled(answered)).toBe(false)
    receive(6n)
    expect(await answered).toBeUndefined()
  })

  it('waits for the first batch of a group, of which nothing is here yet', async () => {
    const { arrivals, state, receive } = follower()
    state.place = undefined
    const answered = arrivals.of(home(), at(3n))
    expect(await settled(answered)).toBe(false)
    receive(3n, 9n)
    expect(await answered).toBeUndefined()
  })

  it('is not looked for at each batch of another group while nothing of its own is here', async () => {
    const { arrivals, state, hear } = follower({ lookForFirst: HOUR })
    state.place = undefined
    const answered = arrivals.of(home(), at(3n))
    for (let gid = 100n; gid < 150n; gid++) {
      hear(gid)
      expect(await settled(answered)).toBe(false)
    }
    expect(state.looks).toBe(1)
    arrivals.beforeApplicationShutdown()
  })

  it('is looked for once for all who wait for the group', async () => {
    const { arrivals, state, receive } = follower()
    const answers = Array.from({ length: 50 }, () => arrivals.of(home(), at(6n)))
    expect(await settled(answers[0]!)).toBe(false)
    const { looks } = state
    expect(looks).toBeLessThanOrEqual(2)
    receive(5n)
    expect(await settled(answers[0]!)).toBe(false)
    receive(6n)
    expect(await Promise.all(answers)).toEqual(answers.map(() => undefined))
    expect(state.looks).toBeLessThanOrEqual(looks + 4)
  })

  it('is found by a look where another node took the batch, and no hint came', async () => {
    const { arrivals, state } = follower({ look: 1 })
    const answered = arrivals.of(home(), at(5n))
    expect(await settled(answered)).toBe(false)
    state.place = { ...state.place!, headSeq: 5n }
    expect(await answered).toBeUndefined()
    expect(state.fetches).toBe(0)
  })

  it('is not held by an entry of an incarnation before', async () => {
    const { arrivals, state } = follower({ longest: 0 })
    expect(await arrivals.of(home(), { seq: 3n, incarnation: 2 })).toBe(4n)
    state.place = { ...state.place!, incarnation: 3, headSeq: 1n }
    expect(await arrivals.of(home(), { seq: 3n, incarnation: 2 })).toBeUndefined()
  })

  it('says where the copy ends once the time is over, and leaves the rest to a job', async () => {
    const { arrivals, state } = follower({ longest: 1 })
    expect(await arrivals.of(home(), at(9n))).toBe(4n)
    expect(state.expected).toEqual([9n])
  })

  it.each([['deleted, or stopped', true]])('does not wait where the group is %s', async (_what, ended) => {
    const { arrivals, state } = follower()
    state.place = { ...state.place!, ended }
    expect(await arrivals.of(home(), at(9n))).toBe(4n)
    expect(state.expected).toEqual([])
  })

  it('is fetched where the push does not come in time; a hub that was slow is asked at once next time', async () => {
    const grown = follower({ push: 1, fetchAgain: 0 }, async () => {
      grown.receive(grown.state.place!.headSeq + 1n)
      return true
    })
    expect(await grown.arrivals.of(home(), at(5n))).toBeUndefined()
    expect(grown.state.fetches).toBe(1)
    Object.assign(grown.arrivals, { times: { longest: HOUR, push: HOUR, look: HOUR, fetchAgain: 0 } })
    expect(await grown.arrivals.of(home(), at(6n))).toBeUndefined()
    expect(grown.state.fetches).toBe(2)
  })

  it('is not fetched again and again from a hub that does not answer', async () => {
    const dead = follower({ push: 0, fetchAgain: 0, look: 1, longest: 30 }, () => Promise.reject(new Error('no answer')))
    expect(await dead.arrivals.of(home(), at(5n))).toBe(4n)
    expect(dead.state.fetches).toBe(1)
  })

  it('is passed on at once when the process ends, also to those who come then', async () => {
    const { arrivals } = follower()
    const answered = arrivals.of(home(), at(5n))
    expect(await settled(answered)).toBe(false)
    arrivals.beforeApplicationShutdown()
    expect(await answered).toBe(4n)
    expect(await arrivals.of(home(), at(5n))).toBe(4n)
  })
})

describe('answers that wait', () => {
  it('are limited for each hub, so that one that sends nothing takes no place of another’s', async () => {
    const { arrivals, receive } = follower()
    const held = Array.from({ length: ARRIVAL_LIMITS.ofHub.value }, () => arrivals.of(home(), at(5n)))
    expect(await arrivals.of(home(), at(5n))).toBe(4n)
    const other = arrivals.of(home('b.example'), at(5n))
    expect(await settled(other)).toBe(false)
    receive(5n)
    expect(await Promise.all([...held, other])).toEqual(Array.from({ length: held.length + 1 }, () => undefined))
    expect(await settled(arrivals.of(home(), at(6n)))).toBe(false)
  })

  it('are limited in all', () => {
    const waits = new Waits()
    const begun = Array.from({ length: 2_000 }, (_, number) => waits.begin(`${number}.example`))
    expect(begun.filter(Boolean)).toHaveLength(ARRIVAL_LIMITS.all.value)
    for (const wait of begun) if (wait) waits.end(wait)
    expect(waits.size).toBe(0)
    expect(waits.begin('a.example')).toBeDefined()
  })
})
