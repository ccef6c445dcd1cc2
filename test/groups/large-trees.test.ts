import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createLog } from '../../src/platform/observability/log.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { inSlices } from '../../src/platform/workers/slices.js'
import { WorkerTime } from '../../src/platform/workers/worker-time.js'
import { WorkerFailure, WorkerPool } from '../../src/platform/workers/worker-pool.js'
import { LargeTrees, LARGE_TREE_BYTES } from '../../src/groups/state/trees/large-trees.js'
import { makeGroupContext } from '../../src/protocol/mls/structures/group-info.js'
import { seed } from '../../src/protocol/public-group/seed.js'
import { deserialize, serialize } from '../../src/protocol/public-group/snapshot.js'
import { addProposal, treeBytes, type PublicGroupState } from '../../src/protocol/public-group/state.js'
import { groupInfoMessage, publicMessage, ratchetTree } from '../support/mls/follower.js'
import { Forge, forgeGroupInfo } from '../support/mls/forge.js'
import { proposals } from '../support/mls/proposals.js'

const MEMBERS = 600
const LIMITS = { threads: 1, queue: 1, heapMegabytes: 64 }
const misbehaving = new URL('misbehaving-worker.mjs', import.meta.url)

let forge: Forge
let state: PublicGroupState

beforeAll(async () => {
  forge = await Forge.group(MEMBERS)
  state = addProposal(forge.state, publicMessage(await forge.proposal(proposals.remove(1))))
})

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('a tree too large for the event loop', () => {
  let trees: LargeTrees
  let metrics: Metrics

  beforeEach(() => {
    metrics = new Metrics()
    trees = new LargeTrees(metrics, createLog({ LOG_LEVEL: 'silent' }), new WorkerTime({ WORKER_TIME_PER_MINUTE: 60_000 }, metrics), {
      DOMAIN: 'localhost',
    })
  })

  afterEach(() => trees.onApplicationShutdown())

  it('is the same from a snapshot as without threads', async () => {
    const bytes = serialize(state)
    expect(bytes.length).toBeGreaterThan(LARGE_TREE_BYTES)
    const [here, there] = [deserialize(bytes), await trees.deserialize(bytes)]
    if (here.kind === 'malformed' || there.kind === 'malformed') throw new Error('does not decode')
    expect(hex(await trees.serialize(there.value))).toBe(hex(bytes))
    expect(hex(await trees.treeBytes(there.value))).toBe(hex(treeBytes(state)))
    expect(there.value.tree.hashes.toArray()).toEqual(here.value.tree.hashes.toArray())
    expect(there.value.tree.weight).toBe(here.value.tree.weight)
    expect(there.value.pending.keys()).toEqual(state.pending.keys())
  })

  it('is refused for the same reason: bytes that are no snapshot, a tree of another group', async () => {
    const cut = serialize(state).subarray(0, -1)
    expect(await trees.deserialize(cut)).toEqual(deserialize(cut))
    const other = serialize({ ...state, groupContext: makeGroupContext({ ...state.groupContext, treeHash: new Uint8Array(32) }) })
    expect(await trees.deserialize(other)).toEqual({ kind: 'malformed', reason: 'the tree is not that of the GroupContext' })
  })

  it('is decoded as without slices, or not for the same reason', async () => {
    const bytes = treeBytes(state)
    expect(await trees.decode(bytes)).toEqual({ kind: 'decoded', value: ratchetTree(bytes) })
    expect(await trees.decode(bytes.subarray(0, -1))).toEqual({ kind: 'malformed', reason: 'the bytes end too early' })
  })

  it.each(['full', 'leaves-unverified', 'accepted-before'] as const)(
    'is seeded to the same state, or refused by the same rule, with %s scrutiny',
    async (scrutiny) => {
      const bytes = treeBytes(state)
      const tree = { bytes, nodes: ratchetTree(bytes) }
      const groupInfo = groupInfoMessage(await forgeGroupInfo(state.groupContext, forge.key(0), {}))
      const [here, there] = [await seed({ groupInfo, ratchetTree: tree.nodes, scrutiny }), await trees.seed(groupInfo, tree, scrutiny)]
      if (here.kind === 'refused' || there.kind === 'refused') throw new Error('refused')
      expect(hex(serialize(there.state))).toBe(hex(serialize(here.state)))
      expect(there.state.tree.hashes.toArray()).toEqual(here.state.tree.hashes.toArray())
      const stranger = groupInfoMessage(await forgeGroupInfo(state.groupContext, forge.key(1), {}))
      expect(await trees.seed(stranger, tree, scrutiny)).toEqual(await seed({ groupInfo: stranger, ratchetTree: tree.nodes, scrutiny }))
      expect(await trees.seed(stranger, tree, scrutiny)).toMatchObject({ rule: 'group-info-signature' })
    },
  )

  it('is asked for again when the threads are gone, and counted', async () => {
    await trees.onApplicationShutdown()
    await expect(trees.deserialize(serialize(state))).rejects.toMatchObject({ status: 503 })
    expect(await metrics.registry.getSingleMetricAsString('tree_worker_failures_total')).toContain('tree_worker_failures_total 1')
  })
})

describe('a pool of threads', () => {
  let pool: WorkerPool

  beforeEach(() => {
    pool = new WorkerPool(misbehaving, LIMITS)
  })

  afterEach(() => pool.close())

  it('answers', async () => {
    expect(await pool.run('echo', { a: 1 })).toEqual({ a: 1 })
  })

  it.each(['exits', 'throws', 'throwsLater', 'takesAllMemory'])(
    'fails the task of a thread that %s, and continues with another',
    async (how) => {
      await expect(pool.run(how, undefined)).rejects.toBeInstanceOf(WorkerFailure)
      expect(await pool.run('echo', 2)).toBe(2)
    },
  )

  it('is ended, and not the process, each time that it takes all memory', async () => {
    for (let n = 0; n < 15; n += 1) await expect(pool.run('takesAllMemory', undefined)).rejects.toBeInstanceOf(WorkerFailure)
  })

  it('takes no more than its queue holds', async () => {
    const [running, waiting] = [pool.run('waits', undefined), pool.run('echo', 1)]
    const over = ['a', 'b', 'c'].map((task) => pool.run('echo', task))
    const refused = (await Promise.allSettled(over)).filter(({ status }) => status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    expect(await Promise.all([running, waiting])).toEqual(['waited', 1])
  })

  it('lets go of the one who waits when it is closed', async () => {
    const never = pool.run('neverEnds', undefined)
    const behind = pool.run('echo', 1)
    await Promise.all([
      expect(never).rejects.toBeInstanceOf(WorkerFailure),
      expect(behind).rejects.toBeInstanceOf(WorkerFailure),
      pool.close(),
    ])
  })
})

describe('work by slices', () => {
  it('lets timers and other events have their turn, and says what it took', async () => {
    let now = 0
    jest.spyOn(performance, 'now').mockImplementation(() => now)
    let turns = 0
    let counting = setImmediate(function count() {
      turns++
      now += 1_000 // the time of others, which is not in it
      counting = setImmediate(count)
    })
    function* busy(): Generator<void, string, void> {
      for (let step = 0; step < 10; step++) {
        now += 1
        yield
      }
      return 'work'
    }
    const slices: number[] = []
    try {
      expect(await inSlices(busy(), (ms) => void slices.push(ms))).toBe('work')
    } finally {
      clearImmediate(counting)
      jest.restoreAllMocks()
    }
    expect(slices).toEqual([2, 2, 2, 2, 2, 0])
    expect(turns).toBeGreaterThanOrEqual(slices.length - 1)
  })

  it('passes on what a step throws, and has counted it', async () => {
    // oxlint-disable-next-line require-yield
    function* failing(): Generator<void, never, void> {
      throw new Error('no')
    }
    const slices: number[] = []
    await expect(inSlices(failing(), (ms) => void slices.push(ms))).rejects.toThrow('no')
    expect(slices).toHaveLength(1)
  })
})
