import { broken, brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { sameBytes } from '../../bytes.js'
import { leafNodeSource } from '../../mls/leaf-node-rules.js'
import type { UpdatePath } from '../../mls/structures/commit.js'
import { copyLeafNode } from '../../mls/structures/leaf-node.js'
import { makeParentNode } from '../../mls/structures/ratchet-tree.js'
import { parentHash } from './tree-hash.js'
import { filteredDirectPath, type PathStep } from './resolution.js'
import { directPath } from './tree-math.js'
import type { TreeDraft } from './tree.js'

/** What the highest node of a path has for a parent hash (RFC 9420 §7.9). */
const NO_PARENT: Uint8Array = new Uint8Array()

/**
 * Merges an UpdatePath into the tree (RFC 9420 §7.5): blanks the direct path, then sets the nodes of the filtered one, from the
 * root down because each parent hash covers the one above. Undefined if it fits; where a rule is broken the draft is of no further use.
 */
export function mergeUpdatePath(tree: TreeDraft, leafIndex: number, path: UpdatePath): BrokenRule | undefined {
  const steps = filteredDirectPath(tree, leafIndex)
  if (steps.length !== path.nodes.length) return broken('update-path-length')

  blankPath(tree, leafIndex)
  const lowestHash = path.nodes.reduceRight((hashAbove, { encryptionKey }, at) => {
    const step = steps[at]
    return step === undefined ? hashAbove : setPathNode(tree, step, encryptionKey, hashAbove)
  }, NO_PARENT)
  tree.setLeaf(leafIndex, copyLeafNode(path.leafNode))
  return leafNodeSource(path.leafNode, 'commit') ?? leafParentHash(path, lowestHash)
}

/** Blanks every node above a leaf, up to the root (RFC 9420 §7.5, §12.1.2, §12.1.3); the leaf itself stays. */
export function blankPath(tree: TreeDraft, leafIndex: number): void {
  for (const node of directPath(leafIndex, tree.leafCount)) {
    if (tree.parent(node) !== undefined) tree.setParent(node, undefined)
  }
}

/** Returns the new node's own parent hash. */
function setPathNode(tree: TreeDraft, step: PathStep, encryptionKey: Uint8Array, hashAbove: Uint8Array): Uint8Array {
  const node = makeParentNode({ encryptionKey, parentHash: hashAbove, unmergedLeaves: [] })
  tree.setParent(step.node, node)
  // On a path that was just set no leaf is unmerged, so that the original tree hash of the sibling is its present one (RFC 9420 §7.9).
  return parentHash(tree.algorithm, node, tree.hash(step.copathChild))
}

/** RFC 9420 §7.9.2: the new leaf's parent_hash is the hash of the lowest node of its path. */
function leafParentHash({ leafNode }: UpdatePath, expected: Uint8Array): BrokenRule | undefined {
  const holds = leafNode.source.kind === 'commit' && sameBytes(leafNode.source.parentHash, expected)
  return brokenUnless(holds, 'update-path-parent-hash')
}
