/**
 * Node arithmetic of RFC 9420 Appendix C: in a tree of n leaves (a power of two) leaf L is node 2L, and a node's level is the
 * number of ones its index ends in. Trees here have at most 2^16 leaves, so that bit operations are exact.
 */

/** The node index of a leaf. */
export function leafNodeIndex(leafIndex: number): number {
  return 2 * leafIndex
}

/** Whether a node index is a leaf's. */
export function isLeaf(node: number): boolean {
  return node % 2 === 0
}

/** How far a node is above the leaves, whose level is 0. */
export function level(node: number): number {
  let ones = 0
  while (((node >> ones) & 1) === 1) ones++
  return ones
}

/** The node index of the root of a tree with this many leaves, a power of two. */
export function root(leafCount: number): number {
  return leafCount - 1
}

/** The left child; `node` must not be a leaf. */
export function left(node: number): number {
  return node ^ (1 << (level(node) - 1))
}

/** The right child; `node` must not be a leaf. */
export function right(node: number): number {
  return node ^ (3 << (level(node) - 1))
}

/** The parent; `node` must not be the root. */
export function parent(node: number): number {
  const k = level(node)
  return (node | (1 << k)) & ~(1 << (k + 1))
}

/** The other child of a node's parent; `node` must not be the root. */
export function sibling(node: number): number {
  const above = parent(node)
  return node < above ? right(above) : left(above)
}

/**
 * The intermediate nodes above a leaf of the tree, from its parent to the root (RFC 9420 §4.1.2).
 * @throws RangeError for a leaf outside the tree, from which climbing would never meet the root
 */
export function directPath(leafIndex: number, leafCount: number): number[] {
  if (leafIndex >= leafCount) throw new RangeError('no leaf of this tree') // climbing from outside would never meet the root
  const path: number[] = []
  for (let node = leafNodeIndex(leafIndex); node !== root(leafCount);) path.push((node = parent(node)))
  return path
}

/** The smallest power of two that is at least `count`, itself at least 1: the leaves of the smallest tree that holds that many. */
export function fullLeafCount(count: number): number {
  let full = 1
  while (full < count) full *= 2
  return full
}
