import { broken, type BrokenRule } from '../../mls/rules.js'
import type { Extension } from '../../mls/structures/extension.js'
import type { KeyPackage } from '../../mls/structures/key-package.js'
import { copyLeafNode, type LeafNode } from '../../mls/structures/leaf-node.js'
import { makeParentNode, MAX_LEAVES } from '../../mls/structures/ratchet-tree.js'
import { applyAppDataUpdates } from './app-data.js'
import { replacedExtensions } from '../rules/group-extensions.js'
import { changedLeaf, type SentProposal } from './pending-proposals.js'
import type { TreeDraft } from '../tree/tree.js'
import { directPath, fullLeafCount } from '../tree/tree-math.js'
import { blankPath } from '../tree/update-path.js'

/** The leaf that an Add got in the new tree. */
export interface AddedLeaf {
  readonly leafIndex: number
  readonly keyPackage: KeyPackage
}

/** `added` in the order of the Adds; `broken` where the tree would have more leaves than the server takes. */
export type AppliedProposals =
  { readonly kind: 'applied'; readonly added: readonly AddedLeaf[] } | ({ readonly kind: 'broken' } & BrokenRule)

/** Applies a list of proposals to the tree in the order of RFC 9420 §12.3: Updates, Removes, then Adds as listed. */
export function applyProposals(tree: TreeDraft, proposals: readonly SentProposal[]): AppliedProposals {
  for (const sent of proposals) {
    const leafIndex = changedLeaf(sent)
    if (leafIndex === undefined) continue
    if (sent.proposal.kind === 'update') applyUpdate(tree, leafIndex, sent.proposal.leafNode)
    else applyRemove(tree, leafIndex)
  }
  truncate(tree)
  return applyAdds(tree, proposals)
}

/** The extensions a list of proposals leaves the group with: replaced, then changed in their application data. */
export function applyGroupContextExtensions(before: readonly Extension[], proposals: readonly SentProposal[]): readonly Extension[] {
  return applyAppDataUpdates(replacedExtensions(before, proposals), proposals)
}

function applyAdds(tree: TreeDraft, proposals: readonly SentProposal[]): AppliedProposals {
  const added: AddedLeaf[] = []
  for (const { proposal } of proposals) {
    if (proposal.kind !== 'add') continue
    // Adds fill the blanks from the left, so there are none left of the last one.
    const leafIndex = takeBlankLeaf(tree, (added.at(-1)?.leafIndex ?? -1) + 1)
    if (leafIndex === undefined) return { kind: 'broken', ...broken('tree-size') }
    tree.setLeaf(leafIndex, copyLeafNode(proposal.keyPackage.leafNode))
    added.push({ leafIndex, keyPackage: proposal.keyPackage })
  }
  markUnmerged(
    tree,
    added.map(({ leafIndex }) => leafIndex),
  )
  return { kind: 'applied', added }
}

/** RFC 9420 §12.1.2: an Update replaces the leaf and blanks the path above it. */
function applyUpdate(tree: TreeDraft, leafIndex: number, leaf: LeafNode): void {
  tree.setLeaf(leafIndex, copyLeafNode(leaf))
  blankPath(tree, leafIndex)
}

/** RFC 9420 §12.1.3: a Remove blanks the leaf and the path above it; `truncate` follows the last one. */
function applyRemove(tree: TreeDraft, leafIndex: number): void {
  tree.setLeaf(leafIndex, undefined)
  blankPath(tree, leafIndex)
}

/** RFC 9420 §12.1.3: right halves without members go. */
function truncate(tree: TreeDraft): void {
  const leafCount = fullLeafCount((tree.lastOccupied() ?? 0) + 1)
  if (leafCount < tree.leafCount) tree.truncateTo(leafCount)
}

/** RFC 9420 §12.1.1: the leftmost blank leaf from `from` on, or the first of a tree twice the size; undefined past the largest. */
export function takeBlankLeaf(tree: TreeDraft, from = 0): number | undefined {
  const leafIndex = tree.firstBlank(from) ?? tree.leafCount
  if (leafIndex === MAX_LEAVES) return undefined
  if (leafIndex === tree.leafCount) tree.extend()
  return leafIndex
}

/**
 * RFC 9420 §12.1.1: a new leaf is unmerged at every node above it that holds a key. Each such node is encoded once, however
 * many leaves come under it; nodes that the tree grew by are blank, so that it does not matter when it grew.
 */
function markUnmerged(tree: TreeDraft, added: readonly number[]): void {
  const comingUnder = new Map<number, number[]>()
  for (const leafIndex of added) {
    for (const node of directPath(leafIndex, tree.leafCount)) {
      if (tree.parent(node) === undefined) continue
      const leaves = comingUnder.get(node)
      if (leaves === undefined) comingUnder.set(node, [leafIndex])
      else leaves.push(leafIndex)
    }
  }
  for (const [node, leaves] of comingUnder) {
    const parent = tree.parent(node)
    if (parent === undefined) continue
    const unmergedLeaves = [...new Set([...parent.unmergedLeaves, ...leaves])].sort((a, b) => a - b)
    tree.setParent(node, makeParentNode({ ...parent, unmergedLeaves }))
  }
}
