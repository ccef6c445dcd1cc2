import { broken, brokenUnless, type BrokenRule } from '../mls/rules.js'
import { HASH_OF_SUITE, hashBytes } from '../mls/hashes.js'
import { sameBytes } from '../bytes.js'
import type { GroupContext, GroupInfo } from '../mls/structures/group-info.js'
import type { TreeNodes } from '../mls/structures/ratchet-tree.js'
import { groupExtensions } from './rules/group-extensions.js'
import { externalPub, groupInfoSignature } from './rules/group-info.js'
import { PendingProposals } from './proposals/pending-proposals.js'
import { refused, type PublicGroupState, type Refused, interimTranscriptHash } from './state.js'
import { leafSignatures, wholeTree } from './rules/tree-rules.js'
import { Tree } from './tree/tree.js'

/** `refused` names the first rule that GroupInfo or tree break. */
export type Seeded = { readonly kind: 'seeded'; readonly state: PublicGroupState } | Refused

/** A GroupInfo and the ratchet tree of its epoch, which need not be of one sender; `scrutiny` is `full` unless given. */
export interface SeedInput {
  readonly groupInfo: GroupInfo
  readonly ratchetTree: TreeNodes
  readonly scrutiny?: Scrutiny
}

/**
 * How closely to look: at everything; at all but the signatures on the leaves, which cost far more than the rest, and which
 * joiners check; or, since an earlier release may have taken what this one would not, only at whether it belongs together.
 */
export type Scrutiny = 'full' | 'leaves-unverified' | 'accepted-before'

/**
 * The state of a group as a GroupInfo and its ratchet tree show it to a joiner (RFC 9420 §12.4.3.1). Hashes the whole tree,
 * some 4 µs a member, and for full scrutiny checks a signature for each. Lifetimes may be over by now, and are not looked at.
 */
export async function seed({ groupInfo, ratchetTree, scrutiny = 'full' }: SeedInput): Promise<Seeded> {
  const { groupContext } = groupInfo
  const algorithm = HASH_OF_SUITE.get(groupContext.cipherSuite)
  if (algorithm === undefined) return refused(broken('cipher-suite'))

  const before = await brokenBeforeHashing({ groupInfo, ratchetTree, scrutiny })
  if (before !== undefined) return refused(before)
  const tree = Tree.of(algorithm, ratchetTree)
  const found =
    treeHash(tree, groupInfo) ??
    (scrutiny === 'accepted-before' ? undefined : wholeTree(tree, groupContext)) ??
    (scrutiny === 'full' ? await leafSignatures(tree, groupContext) : undefined)
  if (found !== undefined) return refused(found)
  return { kind: 'seeded', state: seededState(groupInfo, tree) }
}

/** The rules that cost one signature at most, as far as the GroupInfo and the signer's leaf show: before a tree of any size is hashed. */
export async function brokenBeforeHashing({ groupInfo, ratchetTree, scrutiny = 'full' }: SeedInput): Promise<BrokenRule | undefined> {
  return (
    (scrutiny === 'accepted-before' ? undefined : description(groupInfo)) ??
    (await groupInfoSignature(groupInfo, ratchetTree.leaves[groupInfo.signer]))
  )
}

/** The state of a GroupInfo and tree that were found to belong together. */
export function seededState({ groupContext, confirmationTag }: GroupInfo, tree: Tree): PublicGroupState {
  const interim = interimTranscriptHash(tree.algorithm, groupContext.confirmedTranscriptHash, confirmationTag)
  return { groupContext, tree, interimTranscriptHash: interim, pending: PendingProposals.none }
}

function description(groupInfo: GroupInfo): BrokenRule | undefined {
  const { groupContext, confirmationTag } = groupInfo
  return (
    confirmedTranscriptHashLength(groupContext) ??
    // RFC 9420 §6.1: the tag of the Commit that made the epoch, or of the group's creation.
    brokenUnless(confirmationTag.length === hashBytes(groupContext.cipherSuite), 'confirmation-tag') ??
    groupExtensions(groupContext.extensions) ??
    externalPub(groupInfo)
  )
}

/** RFC 9420 §8.2, §11. */
function confirmedTranscriptHashLength({ cipherSuite, epoch, confirmedTranscriptHash }: GroupContext): BrokenRule | undefined {
  const length = epoch === 0n ? 0 : hashBytes(cipherSuite)
  return brokenUnless(confirmedTranscriptHash.length === length, 'confirmed-transcript-hash')
}

/** RFC 9420 §12.4.3.1: the tree is the one the GroupInfo's signer vouches for. */
function treeHash(tree: Tree, { groupContext }: GroupInfo): BrokenRule | undefined {
  return brokenUnless(sameBytes(tree.hash, groupContext.treeHash), 'tree-hash')
}
