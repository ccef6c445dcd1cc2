import { describe, expect, it } from '@jest/globals'
import { encodeNotifyResponse } from '../../protocol/mimi/microchat/notify-response.js'
import { retryDelay } from '../../protocol/retry-policy.js'
import { Delivery, type Delivered } from './delivery.js'
import { PeerLane } from './peer-lane.js'

interface Cursor {
  waits: boolean
  failures: number
  retryAt: number
  stopped: boolean
}

/** A hub, a peer, and a clock that only the test moves. Groups are numbered in the order of their places in the lane. */
function lane(groups: number, cannotTake: (gid: bigint) => boolean) {
  const cursors = new Map(
    Array.from({ length: groups }, (_, index): [bigint, Cursor] => [
      BigInt(index + 1),
      { waits: true, failures: 0, retryAt: 0, stopped: false },
    ]),
  )
  const world = { now: 0, peerRetryAt: 0, peerFailures: 0, requests: 0, cannotTake }
  const at = (gid: unknown) => cursors.get(gid as bigint)!
  const QUERIES: Record<string, (values: unknown[]) => unknown[]> = {
    due_groups: ([, after, limit]) =>
      [...cursors]
        .filter(([gid, { waits, retryAt }]) => gid > (after as bigint) && waits && retryAt <= world.now)
        .slice(0, limit as number)
        .map(([gid, { failures }]) => ({ gid, acked: 0n, failures })),
    cursor_failures: ([, gid]) => [at(gid)],
    postpone_peer_cursor: ([, gid, delayMs, , stopped]) => {
      const cursor = at(gid)
      Object.assign(cursor, { failures: cursor.failures + 1, retryAt: world.now + Number(delayMs), stopped })
      return []
    },
    absolve_peer_cursors: ([, gids]) => {
      for (const gid of gids as bigint[]) if (!at(gid).stopped) Object.assign(at(gid), { failures: 0, retryAt: 0 })
      return []
    },
    advance_peer_cursor: ([, gid]) => {
      Object.assign(at(gid), { waits: false, failures: 0, retryAt: 0, stopped: false })
      return [{ beyond: false }]
    },
  }
  const query = async ({ name, values }: { name: string; values: unknown[] }) => ({ rows: QUERIES[name]!(values) })
  const entry = {
    kind: 'application',
    epoch: 0n,
    message: { acceptedAtMs: 0n, message: new Uint8Array(), kind: 'application', proposals: [] },
  }
  const batch = (gid: bigint) => ({
    groupId: new Uint8Array(1),
    roomId: `${gid}`,
    mode: 'public',
    cipherSuite: 1,
    incarnation: 1,
    postFloor: 0n,
    frozen: 'no',
    successor: undefined,
    gap: 'none',
    firstSeq: 1n,
    previousChain: new Uint8Array(32),
    entries: [entry],
    roster: [],
    welcomes: [],
    head: { signedAtMs: 0n, keyId: 'k', signature: new Uint8Array() },
  })
  const next = async (_domain: string, gid: bigint) => (at(gid).waits ? { batch: batch(gid), lastSeq: 1n, stops: 0 } : undefined)
  const send = async ({ argument }: { argument: string }) => {
    world.requests++
    if (world.cannotTake(BigInt(argument))) return { kind: 'answered', status: 503, retryAfter: undefined, problem: undefined }
    const body = encodeNotifyResponse({ code: 'received', incarnation: 1, receivedThrough: 1n })
    return { kind: 'answered', status: 200, body, retryAfter: undefined, problem: undefined }
  }
  const events = { record: () => undefined }
  const delivery = new Delivery({ query } as never, { next } as never, { send } as never, events as never)
  const level = { deliver: async () => ({ kind: 'level' }) } as never
  const one = new PeerLane({ query } as never, delivery, level, level)
  /** As Circuits notes it. */
  const run = async (): Promise<Delivered> => {
    const outcome = await one.run('b.example', Infinity, new AbortController().signal)
    if (outcome.kind === 'failed') world.peerRetryAt = world.now + retryDelay(++world.peerFailures, 1, undefined)
    else [world.peerRetryAt, world.peerFailures] = [world.now, 0]
    return outcome
  }
  /** Moves the clock to when the peer may be asked again, or a group's own wait is over. */
  const wait = () => {
    const soonest = Math.min(
      ...[...cursors.values()].filter(({ waits }) => waits).map(({ retryAt }) => Math.max(retryAt, world.peerRetryAt)),
    )
    world.now = Math.max(world.now + 1, soonest)
  }
  const delivered = (gid: bigint) => !at(gid).waits
  const say = (gid: bigint) => void (at(gid).waits = true)
  return { world, cursors, run, wait, delivered, say }
}
const all = ({ cursors }: ReturnType<typeof lane>) => [...cursors.values()]
const MINUTE = 60_000

describe('a peer that answers every batch with a signed 503', () => {
  it.each([[3], [8], [200]])(
    'for twelve runs and more: none of %i groups is to blame, and all get everything at once after it',
    async (groups) => {
      const hub = lane(groups, () => true)
      for (let runs = 0; runs < 14; runs++) {
        expect((await hub.run()).kind).toBe('failed')
        hub.wait()
      }
      expect(hub.world.now).toBeGreaterThan(30 * MINUTE)
      expect(all(hub).every(({ failures, stopped, retryAt }) => failures === 0 && !stopped && retryAt === 0)).toBe(true)
      hub.world.cannotTake = () => false
      expect((await hub.run()).kind).toBe('level')
      expect(all(hub).some(({ waits }) => waits)).toBe(false)
    },
  )

  it('is left alone after three groups, and asked about some more of them each time', async () => {
    const hub = lane(200, () => true)
    const asked: number[] = []
    for (let runs = 0; runs < 7; runs++) {
      const before = hub.world.requests
      await hub.run()
      asked.push(hub.world.requests - before)
      hub.wait()
    }
    expect(asked).toEqual([3, 6, 12, 24, 48, 96, 96])
  })

  it('is known by three groups that fail one after the other, also where each has its news in a run of its own', async () => {
    const hub = lane(5, () => true)
    for (const cursor of all(hub)) cursor.waits = false
    const outcomes: string[] = []
    for (const gid of [1n, 2n, 3n, 4n]) {
      hub.say(gid)
      outcomes.push((await hub.run()).kind)
      hub.wait()
    }
    expect(outcomes).toEqual(['level', 'level', 'failed', 'failed'])
    expect(all(hub).map(({ failures }) => failures)).toEqual([0, 0, 0, 0, 0])
  })

  it('stops no group, also where only one waits', async () => {
    const hub = lane(1, () => true)
    for (let runs = 0; runs < 20; runs++) {
      await hub.run()
      hub.wait()
    }
    expect(all(hub)[0]!.stopped).toBe(false)
    hub.world.cannotTake = () => false
    await hub.run()
    expect(hub.delivered(1n)).toBe(true)
  })
})

describe('groups that the peer cannot take', () => {
  it.each([
    [1, 3],
    [3, 2],
    [10, 2],
    [100, 2],
  ])('%i of them in a row hold up none behind them', async (poisoned, good) => {
    const hub = lane(poisoned + good, (gid) => gid <= poisoned)
    const isGood = ([gid]: [bigint, Cursor]) => gid > poisoned
    for (let runs = 0; runs < 8 && [...hub.cursors].filter(isGood).some(([, { waits }]) => waits); runs++) {
      await hub.run()
      hub.wait()
    }
    expect([...hub.cursors].filter(isGood).every(([, { waits }]) => !waits)).toBe(true)
    expect(hub.world.now).toBeLessThan(2 * MINUTE)
  })

  it.each([[3], [10], [100]])(
    '%i of them are found out: from then on news of others goes out at once, and they are stopped in the end',
    async (poisoned) => {
      const good = BigInt(poisoned + 1)
      const hub = lane(poisoned + 1, (gid) => gid !== good)
      for (let runs = 0; runs < 12 && !hub.delivered(good); runs++) {
        await hub.run()
        hub.wait()
      }
      // Those that were not met in the run that took the good one are met with it the next time.
      for (let runs = 0; runs < 5_000 && all(hub).filter(({ stopped }) => stopped).length < poisoned; runs++) {
        hub.wait()
        hub.say(good)
        await hub.run()
        expect(hub.delivered(good)).toBe(true)
      }
      expect(all(hub).filter(({ stopped }) => stopped)).toHaveLength(poisoned)
    },
  )

  it('fail while the others have no news: the peer is not given up for that again', async () => {
    const hub = lane(4, (gid) => gid <= 3n)
    await hub.run() // three failed: the peer is suspected
    hub.wait()
    await hub.run() // begins behind them, and finds that it takes the fourth
    for (let runs = 0; runs < 5; runs++) {
      hub.wait()
      expect((await hub.run()).kind).toBe('level')
    }
  })
})
