import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { sameBytes } from '../../bytes.js'
import { makeParentNode, type ParentNode } from '../../mls/structures/ratchet-tree.js'
import { resolution } from '../tree/resolution.js'
import { intermediateHash, leafHash, parentHash } from '../tree/tree-hash.js'
import { isLeaf, leafNodeIndex, left, level, right } from '../tree/tree-math.js'
import type { Tree } from '../tree/tree.js'

/** RFC 9420 §7.9.2: each parent node was set by the path of a leaf below it. From the top: exactly one node below vouches for it. */
export function parentHashes(tree: Tree): BrokenRule | undefined {
  for (const [at, parent] of tree.parents.toArray().entries()) {
    if (parent !== undefined && !vouchedFor(tree, 2 * at + 1, parent)) return brokenUnless(false, 'parent-hash')
  }
  return undefined
}

function vouchedFor(tree: Tree, node: number, parent: ParentNode): boolean {
  const [leftChild, rightChild] = [left(node), right(node)]
  const byLeft = vouches(tree, parent, leftChild, rightChild)
  const byRight = vouches(tree, parent, rightChild, leftChild)
  return byLeft !== byRight
}

/**
 * Whether a node D below `child` was set together with the parent: it is all there is in the resolution of `child` except leaves
 * that came later, which the parent lists as unmerged, and its parent hash is the parent's.
 */
function vouches(tree: Tree, parent: ParentNode, child: number, sibling: number): boolean {
  const unmerged = new Set(parent.unmergedLeaves.map(leafNodeIndex))
  const found = resolution(tree, child)
  const [descendant, ...more] = found.filter((node) => !unmerged.has(node))
  if (descendant === undefined || more.length > 0) return false
  const later = parent.unmergedLeaves.filter((leafIndex) => isBelow(leafNodeIndex(leafIndex), child))
  const claimed = parentHashOf(tree, descendant)
  return (
    later.length === found.length - 1 &&
    claimed !== undefined &&
    sameBytes(claimed, parentHash(tree.algorithm, parent, originalTreeHash(tree, sibling, parent.unmergedLeaves)))
  )
}

function parentHashOf(tree: Tree, node: number): Uint8Array | undefined {
  if (!isLeaf(node)) return tree.parent(node)?.parentHash
  const source = tree.leaf(node / 2)?.source
  return source?.kind === 'commit' ? source.parentHash : undefined
}

/** RFC 9420 §7.9: the tree hash of a subtree as it was before these leaves came into it. */
function originalTreeHash(tree: Tree, node: number, without: readonly number[]): Uint8Array {
  const here = without.filter((leafIndex) => isBelow(leafNodeIndex(leafIndex), node))
  if (here.length === 0) return tree.hashes.at(node) ?? new Uint8Array()
  if (isLeaf(node)) return leafHash(tree.algorithm, node / 2, undefined)
  const parent = tree.parent(node)
  const gone = new Set(here)
  const before = parent && makeParentNode({ ...parent, unmergedLeaves: parent.unmergedLeaves.filter((leafIndex) => !gone.has(leafIndex)) })
  const [leftHash, rightHash] = [originalTreeHash(tree, left(node), here), originalTreeHash(tree, right(node), here)]
  return intermediateHash(tree.algorithm, before, leftHash, rightHash)
}

/** Whether a node is in the subtree of another (RFC 9420 Appendix C: a subtree's nodes are consecutive). */
function isBelow(node: number, above: number): boolean {
  const reach = 2 ** level(above) - 1
  return node >= above - reach && node <= above + reach
}
