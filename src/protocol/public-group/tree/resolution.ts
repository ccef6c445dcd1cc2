import type { ParentNode } from '../../mls/structures/ratchet-tree.js'
import { directPath, isLeaf, leafNodeIndex, left, right, sibling } from './tree-math.js'
import type { TreeDraft } from './tree.js'

/** What a tree and a draft of one have in common. */
export interface Nodes {
  isBlank(node: number): boolean
  isEmpty(node: number): boolean
  parent(node: number): ParentNode | undefined
}

/**
 * The resolution of a node (RFC 9420 §4.1.1), as node indices: itself and its unmerged leaves, or those of its children if it is blank.
 * @param found the list it is appended to, for the recursion
 */
export function resolution(tree: Nodes, node: number, found: number[] = []): number[] {
  if (tree.isEmpty(node)) return found
  if (!tree.isBlank(node)) {
    found.push(node)
    if (!isLeaf(node)) for (const leafIndex of tree.parent(node)?.unmergedLeaves ?? []) found.push(leafNodeIndex(leafIndex))
  } else if (!isLeaf(node)) {
    resolution(tree, left(node), found)
    resolution(tree, right(node), found)
  }
  return found
}

/** A node of a filtered direct path, and its child on the copath. */
export interface PathStep {
  readonly node: number
  readonly copathChild: number
}

/** RFC 9420 §4.1.2: the direct path without the nodes whose child on the copath has an empty resolution. */
export function filteredDirectPath(tree: TreeDraft, leafIndex: number): PathStep[] {
  const path = directPath(leafIndex, tree.leafCount)
  const below = [leafNodeIndex(leafIndex), ...path]
  return path.map((node, at) => ({ node, copathChild: sibling(below[at] ?? node) })).filter(({ copathChild }) => !tree.isEmpty(copathChild))
}
