import type { ParentNode } from '../../mls/structures/ratchet-tree.js'
import { isLeaf, leafNodeIndex, left, right } from '../tree-math.js'

/** What a tree and a draft of one have in common. */
export interface Nodes {
  isBlank(node: number): boolean
  isEmpty(node: number): boolean
  parent(node: number): ParentNode | undefined
}

/** The resolution of a node (RFC 9420 §4.1.1), as node indices. */
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
