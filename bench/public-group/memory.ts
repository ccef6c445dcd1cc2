import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { weightOf } from '../../src/groups/state/state-cache.js'
import { validateCommit } from '../../src/protocol/public-group/commit.js'
import { deserialize, serialize } from '../../src/protocol/public-group/snapshot.js'
import type { PublicGroupState } from '../../src/protocol/public-group/state.js'
import { publicMessage } from '../../test/support/mls/follower.js'
import type { Forge } from '../../test/support/mls/forge.js'
import { printTable, round } from '../samples.js'
import { grownGroup } from './grown-group.js'

/**
 * `npm run bench -- public-group/memory`: what a group in the cache takes, by its size: objects and the memory outside of the
 * JavaScript heap, measured over several states of their own; beside it what the cache counts for it. `each further epoch` is
 * what one more state of the same group takes, after a Commit with a path.
 */
const SIZES = [10, 100, 1_000, 10_000]
const MOST_LEAVES = 30_000
const EPOCHS = 100

setFlagsFromString('--expose_gc')
const collect = runInNewContext('gc') as () => void

function heldBytes(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function group(snapshot: Uint8Array): PublicGroupState {
  const read = deserialize(snapshot.slice())
  if (read.kind === 'malformed') throw new Error(read.reason)
  return read.value
}

/** Bytes for each of `count` things; they stay reachable until they are counted. */
async function bytesEach(count: number, make: (at: number) => unknown): Promise<number> {
  const held: unknown[] = []
  const before = heldBytes()
  for (let at = 0; at < count; at++) held.push(await make(at))
  const after = heldBytes()
  return (after - before) / held.length
}

async function furtherEpochs(forge: Forge, members: number): Promise<number> {
  let now = forge
  const commits: Uint8Array[] = []
  const step = async (bytes: Uint8Array, from: PublicGroupState): Promise<PublicGroupState> => {
    const verdict = await validateCommit(from, publicMessage(bytes))
    if (verdict.kind === 'refused') throw new Error(verdict.rule)
    return verdict.next
  }
  for (let at = 0; at < EPOCHS; at++) {
    const committer = (at * 37) % members
    const bytes = await now.commit([], await now.path([], committer), committer)
    commits.push(bytes)
    now = now.at(await step(bytes, now.state))
  }
  let { state } = forge
  return bytesEach(EPOCHS, async (at) => (state = await step(commits[at] ?? new Uint8Array(), state)))
}

const rows: Record<string, string | number>[] = []
for (const members of SIZES) {
  const forge = await grownGroup(members)
  const snapshot = serialize(forge.state)
  const each = await bytesEach(Math.max(3, Math.ceil(MOST_LEAVES / members / 4)), () => group(snapshot))
  const epoch = await furtherEpochs(forge, members)
  rows.push({
    members,
    'snapshot, KB': round(snapshot.length / 1024),
    'in memory, KB': round(each / 1024),
    'a member, KB': round(each / members / 1024),
    'counted, KB': round(weightOf(forge.state) / 1024),
    'each further epoch, KB': round(epoch / 1024),
  })
}
printTable(rows)
