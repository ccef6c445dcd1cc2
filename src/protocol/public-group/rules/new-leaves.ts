import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { leafNodeSignature } from '../../mls/leaf-node-rules.js'
import { credentialType } from '../../mls/structures/credential.js'
import type { Extension } from '../../mls/structures/extension.js'
import type { LeafNode } from '../../mls/structures/leaf-node.js'
import { requirementsOf } from './group-extensions.js'
import { credentialKnown, leafAmongMembers, leafEncryptionKey, meetsRequired, supportsExtensions } from './member-rules.js'
import type { AddedLeaf } from '../proposals/apply-proposals.js'
import type { ResolvedCommit } from '../apply-commit.js'
import { proposalSignatures } from '../proposals/proposal.js'
import { changedLeaf, type SentProposal } from '../proposals/pending-proposals.js'
import type { PublicGroupState } from '../state.js'
import type { Tree } from '../tree/tree.js'

/** Signatures that are checked at the same time: each is first prepared on the event loop. */
const AT_ONCE = 16

/** A tree with proposals in it, and with the path of the Commit, if it has one. */
export interface ChangedTree {
  readonly tree: Tree
  readonly extensions: readonly Extension[]
  readonly added: readonly AddedLeaf[]
  /** The committer's leaf, if the Commit has a path. */
  readonly byPath?: number | undefined
}

/** RFC 9420 §7.3, §12.2: the leaves that a Commit brings fit each other and those that were there, and those fit what is new. */
export function newLeaves(before: Tree, proposals: readonly SentProposal[], after: ChangedTree): BrokenRule | undefined {
  const { tree, byPath } = after
  const requirements = requirementsOf(after.extensions)
  const changed = changedLeaves(proposals, after)
  for (const leafIndex of changed) {
    const leaf = tree.leaf(leafIndex)
    if (leaf === undefined) continue
    // A path's keys were compared with the tree's before it was merged.
    const found = leafAmongMembers(tree, leaf, requirements) ?? (leafIndex === byPath ? undefined : leafEncryptionKey(tree, leaf))
    if (found !== undefined) return found
  }
  const replaced = proposals.some(({ proposal }) => proposal.kind === 'group-context-extensions')
  return newCredentials(before, tree, changed) ?? (replaced ? unchangedMembers(tree, changed, requirements) : undefined)
}

/** The signatures on what a Commit brings: KeyPackages, Updates and the leaf of its path. */
export async function newSignatures(
  state: PublicGroupState,
  { commit, proposals }: ResolvedCommit,
  leafIndex: number,
): Promise<BrokenRule | undefined> {
  const { cipherSuite, groupId } = state.groupContext
  const ofPath = commit.path && leafNodeSignature(cipherSuite, commit.path.leafNode, { groupId, leafIndex })
  for (let from = 0; from < proposals.length; from += AT_ONCE) {
    const found = await Promise.all(proposals.slice(from, from + AT_ONCE).map((sent) => proposalSignatures(state, sent)))
    const first = found.find((one) => one !== undefined)
    if (first !== undefined) return first
  }
  return ofPath
}

function changedLeaves(proposals: readonly SentProposal[], { added, byPath }: ChangedTree): ReadonlySet<number> {
  const updated = proposals.flatMap((sent) => (sent.proposal.kind === 'update' ? (changedLeaf(sent) ?? []) : []))
  return new Set([...updated, ...added.map(({ leafIndex }) => leafIndex), ...(byPath === undefined ? [] : [byPath])])
}

/** A type that was in use before is known to everybody; another one each member is asked for. */
function newCredentials(before: Tree, tree: Tree, changed: ReadonlySet<number>): BrokenRule | undefined {
  const unseen = new Map<number, LeafNode>()
  for (const leafIndex of changed) {
    const leaf = tree.leaf(leafIndex)
    const type = leaf && credentialType(leaf.credential)
    if (leaf && type !== undefined && !before.index.credentialTypes.has(type)) unseen.set(type, leaf)
  }
  for (const leaf of unseen.values()) {
    const found = credentialKnown(unchanged(tree, changed), leaf)
    if (found !== undefined) return found
  }
  return undefined
}

/** RFC 9420 §12.1.7, §13.4: new extensions need those too who do nothing. */
function unchangedMembers(
  tree: Tree,
  changed: ReadonlySet<number>,
  requirements: ReturnType<typeof requirementsOf>,
): BrokenRule | undefined {
  for (const leaf of unchanged(tree, changed)) {
    const found =
      brokenUnless(supportsExtensions(leaf, requirements), 'group-extensions-members') ??
      brokenUnless(meetsRequired(leaf, requirements), 'required-capabilities-members')
    if (found !== undefined) return found
  }
  return undefined
}

function* unchanged(tree: Tree, changed: ReadonlySet<number>): Generator<LeafNode> {
  for (let leafIndex = 0; leafIndex < tree.leafCount; leafIndex++) {
    const leaf = changed.has(leafIndex) ? undefined : tree.leaf(leafIndex)
    if (leaf !== undefined) yield leaf
  }
}
