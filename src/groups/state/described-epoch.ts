import { sameBytes } from '../../protocol/bytes.js'
import { EXTENSION_TYPES, extensionData } from '../../protocol/mls/structures/extension.js'
import type { GroupInfo } from '../../protocol/mls/structures/group-info.js'
import type { Scrutiny } from '../../protocol/public-group/seed.js'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import { InvalidCommit } from '../groups.problems.js'
import type { EncodedTree, LargeTrees } from './trees/large-trees.js'

/** What a GroupInfo has to be of. */
export interface ExpectedEpoch {
  groupId: Uint8Array
  /** Undefined for a new group, which chooses. */
  cipherSuite?: number
  epoch: bigint
}

/** The epoch that a GroupInfo and a tree describe, if they fit together and what is expected; 422 otherwise. */
export async function describedEpoch(
  trees: LargeTrees,
  groupInfo: GroupInfo,
  tree: EncodedTree,
  expected: ExpectedEpoch,
  scrutiny: Scrutiny,
): Promise<PublicGroupState> {
  const { groupContext } = groupInfo
  if (!sameBytes(groupContext.groupId, expected.groupId)) throw new InvalidCommit('group-info-group-id')
  if (groupContext.epoch !== expected.epoch) throw new InvalidCommit('group-info-epoch')
  if (expected.cipherSuite !== undefined && groupContext.cipherSuite !== expected.cipherSuite)
    throw new InvalidCommit('group-info-cipher-suite')
  const seeded = await trees.seed(groupInfo, tree, scrutiny)
  if (seeded.kind === 'refused') throw new InvalidCommit(seeded.rule)
  return seeded.state
}

/** The tree inside a GroupInfo, where a client put it there. */
export async function treeInside(trees: LargeTrees, groupInfo: GroupInfo): Promise<EncodedTree | undefined> {
  const bytes = extensionData(groupInfo.extensions, EXTENSION_TYPES.ratchetTree)
  if (!bytes) return undefined
  const decoded = await trees.decode(bytes)
  if (decoded.kind === 'malformed') throw new InvalidCommit('ratchet-tree-extension')
  return { bytes, nodes: decoded.value }
}

/** RFC 9420 §12.4.3.3: a joiner may take either, the tree inside the GroupInfo or the one that is served separately. */
export function refuseOtherTree(groupInfo: GroupInfo, served: Uint8Array): void {
  const inside = extensionData(groupInfo.extensions, EXTENSION_TYPES.ratchetTree)
  if (inside && !sameBytes(inside, served)) throw new InvalidCommit('group-info-tree')
}

/** Whether anyone can join by it (RFC 9420 §12.4.3.2). */
export function hasExternalPub(groupInfo: GroupInfo): boolean {
  return extensionData(groupInfo.extensions, EXTENSION_TYPES.externalPub) !== undefined
}
