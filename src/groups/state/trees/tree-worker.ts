import { readGroupInfo } from '../../../protocol/mls/structures/group-info.js'
import { decodeRatchetTree } from '../../../protocol/mls/structures/ratchet-tree.js'
import { seed, type Scrutiny } from '../../../protocol/public-group/seed.js'
import { deserialize } from '../../../protocol/public-group/snapshot.js'
import type { Refused } from '../../../protocol/public-group/state.js'
import { decodeWhole } from '../../../protocol/tls/reader.js'

// Runs in threads of their own. A state is too large to be sent back object by object: what is sent are the hashes of its tree,
// which are most of the work, and with which the event loop assembles the same state (LargeTrees).

/** A GroupInfo and the tree that is to fit it. */
export interface SeedTask {
  /** GroupInfo without the framing of an MLSMessage. */
  readonly groupInfo: Uint8Array
  readonly ratchetTree: Uint8Array
  readonly scrutiny: Scrutiny
}

export type Examined = { readonly kind: 'examined'; readonly hashes: Uint8Array } | { readonly kind: 'malformed'; readonly reason: string }

/** What `seed` refuses of the two, or else the hashes of the tree, in the order of `joinedHashes`. */
export async function seedTree(task: SeedTask): Promise<Examined | Refused> {
  const groupInfo = decodeWhole(task.groupInfo, readGroupInfo)
  if (groupInfo.kind === 'malformed') return groupInfo
  const ratchetTree = decodeRatchetTree(task.ratchetTree)
  if (ratchetTree.kind === 'malformed') return ratchetTree
  const seeded = await seed({ groupInfo: groupInfo.value, ratchetTree: ratchetTree.value, scrutiny: task.scrutiny })
  return seeded.kind === 'refused' ? seeded : { kind: 'examined', hashes: seeded.state.tree.joinedHashes() }
}

/** The hashes of the tree in a serialized state. */
export function readSnapshot(bytes: Uint8Array): Examined {
  const state = deserialize(bytes)
  return state.kind === 'malformed' ? state : { kind: 'examined', hashes: state.value.tree.joinedHashes() }
}
