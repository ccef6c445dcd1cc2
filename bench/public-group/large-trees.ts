import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { LargeTrees } from '../../src/groups/state/trees/large-trees.js'
import { createLog } from '../../src/platform/observability/log.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { WorkerTime } from '../../src/platform/workers/worker-time.js'
import { decodeRatchetTree } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { seed } from '../../src/protocol/public-group/seed.js'
import { deserialize, serialize } from '../../src/protocol/public-group/snapshot.js'
import { treeBytes } from '../../src/protocol/public-group/state.js'
import { groupInfoMessage, ratchetTree } from '../../test/support/mls/follower.js'
import { forgeGroupInfo } from '../../test/support/mls/forge.js'
import { printTable, round } from '../samples.js'
import { grownGroup } from './grown-group.js'

/**
 * `npm run bench -- public-group/large-trees`: how long each of several large trees takes, and how late the event loop is
 * meanwhile, on the event loop alone and as the server does it. `nothing` is the same time spent waiting: what the machine adds.
 */
const SIZES = [1_000, 10_000]
const ROUNDS = 12
const IDLE_MS = 3_000

const metrics = new Metrics()
const time = new WorkerTime({ WORKER_TIME_PER_MINUTE: 60_000 }, metrics)
const trees = new LargeTrees(metrics, createLog({ LOG_LEVEL: 'silent' }), time, { DOMAIN: 'localhost' })

async function measure(members: number, work: string, once: () => unknown): Promise<Record<string, string | number>> {
  await once()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const processor = process.threadCpuUsage()
  const began = performance.now()
  delay.enable()
  for (let round = 0; round < ROUNDS; round++) {
    await once()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  delay.disable()
  const { user, system } = process.threadCpuUsage(processor)
  const [p99, max] = [delay.percentile(99) / 1e6, delay.max / 1e6]
  return {
    members,
    work,
    'ms each': round((performance.now() - began) / ROUNDS - 20),
    'ms of the event loop each': round((user + system) / 1_000 / ROUNDS),
    'delay p99, ms': round(p99),
    'delay max, ms': round(max),
  }
}

const rows: Record<string, string | number>[] = []
for (const members of SIZES) {
  const forge = await grownGroup(members)
  const { state } = forge
  const [snapshot, tree] = [serialize(state), treeBytes(state)]
  const groupInfo = groupInfoMessage(await forgeGroupInfo(state.groupContext, forge.key(0), { confirmationTag: randomBytes(32) }))
  const encoded = { bytes: tree, nodes: ratchetTree(tree) }
  rows.push(
    await measure(members, 'nothing', () => new Promise((resolve) => setTimeout(resolve, IDLE_MS / ROUNDS))),
    await measure(members, 'read a snapshot, alone', () => deserialize(snapshot)),
    await measure(members, 'read a snapshot', () => trees.deserialize(snapshot)),
    await measure(members, 'decode a tree, alone', () => decodeRatchetTree(tree)),
    await measure(members, 'decode a tree', () => trees.decode(tree)),
    await measure(members, 'seed from what is decoded, alone', () =>
      seed({ groupInfo, ratchetTree: encoded.nodes, scrutiny: 'leaves-unverified' }),
    ),
    await measure(members, 'seed from what is decoded', () => trees.seed(groupInfo, encoded, 'leaves-unverified')),
    await measure(members, 'write a snapshot, alone', () => serialize(state)),
    await measure(members, 'write a snapshot', () => trees.serialize(state)),
  )
}
printTable(rows)
await trees.onApplicationShutdown()
