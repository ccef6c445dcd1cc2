import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { isUsableHpkeKey } from '../../mls/hpke-key.js'
import { leafNodeContent, leafNodeSignature } from '../../mls/leaf-node-rules.js'
import type { GroupContext } from '../../mls/structures/group-info.js'
import type { LeafNode } from '../../mls/structures/leaf-node.js'
import { requirementsOf } from './group-extensions.js'
import { leafAmongMembers, leafEncryptionKey } from './member-rules.js'
import { parentHashes } from './parent-hash.js'
import { directPath, leafNodeIndex } from '../tree/tree-math.js'
import type { Tree } from '../tree/tree.js'

/** Signatures that are checked at the same time. */
const AT_ONCE = 16

/** The rules for a whole tree, as a joiner applies them (RFC 9420 §12.4.3.1), but for the signatures on its leaves. */
export function wholeTree(tree: Tree, groupContext: GroupContext): BrokenRule | undefined {
  return parentNodes(tree, groupContext.cipherSuite) ?? unmergedLeaves(tree) ?? parentHashes(tree) ?? allLeaves(tree, groupContext)
}

/** RFC 9420 §7.3: each leaf is signed, for its place in this group where it was made there. Checks 16 at a time in the thread pool. */
export async function leafSignatures(tree: Tree, { cipherSuite, groupId }: GroupContext): Promise<BrokenRule | undefined> {
  const leaves = [...leavesOf(tree)]
  for (let from = 0; from < leaves.length; from += AT_ONCE) {
    const checks = leaves
      .slice(from, from + AT_ONCE)
      .map(([leafIndex, leaf]) => leafNodeSignature(cipherSuite, leaf, { groupId, leafIndex }))
    const found = (await Promise.all(checks)).find((one) => one !== undefined)
    if (found !== undefined) return found
  }
  return undefined
}

function parentNodes(tree: Tree, suite: number): BrokenRule | undefined {
  for (const parent of tree.parents.toArray()) {
    const found =
      parent &&
      (brokenUnless(isUsableHpkeKey(suite, parent.encryptionKey), 'parent-node-hpke-key') ??
        brokenUnless(tree.index.encryptionKeys.count(parent.encryptionKey) === 1, 'parent-node-key'))
    if (found !== undefined) return found
  }
  return undefined
}

/** RFC 9420 §12.4.3.1. */
function unmergedLeaves(tree: Tree): BrokenRule | undefined {
  const lists: UnmergedLists = tree.parents.toArray().map((parent) => parent && new Set(parent.unmergedLeaves))
  for (const [at, list] of lists.entries()) {
    for (const leafIndex of list ?? []) {
      const found = unmergedLeaf(tree, lists, { node: 2 * at + 1, leafIndex })
      if (found !== undefined) return found
    }
  }
  return undefined
}

/** By parent node, whose index in the tree is odd. Sets, because every member may be in every list above it. */
type UnmergedLists = readonly (ReadonlySet<number> | undefined)[]

function unmergedLeaf(tree: Tree, lists: UnmergedLists, { node, leafIndex }: { node: number; leafIndex: number }): BrokenRule | undefined {
  const path = leafIndex < tree.leafCount ? directPath(leafIndex, tree.leafCount) : []
  const at = path.indexOf(node)
  if (at < 0 || tree.isBlank(leafNodeIndex(leafIndex))) return brokenUnless(false, 'unmerged-leaf')
  const listed = path.slice(0, at).every((between) => lists[(between - 1) / 2]?.has(leafIndex) ?? true)
  return brokenUnless(listed, 'unmerged-leaf-throughout')
}

function allLeaves(tree: Tree, { cipherSuite, extensions }: GroupContext): BrokenRule | undefined {
  const requirements = requirementsOf(extensions)
  for (const [, leaf] of leavesOf(tree)) {
    const found = leafNodeContent(cipherSuite, leaf) ?? leafAmongMembers(tree, leaf, requirements) ?? leafEncryptionKey(tree, leaf)
    if (found !== undefined) return found
  }
  return undefined
}

function* leavesOf(tree: Tree): Generator<[number, LeafNode]> {
  for (let leafIndex = 0; leafIndex < tree.leafCount; leafIndex++) {
    const leaf = tree.leaf(leafIndex)
    if (leaf !== undefined) yield [leafIndex, leaf]
  }
}
