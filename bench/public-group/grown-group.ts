import { randomBytes } from 'node:crypto'
import { makeGroupContext } from '../../src/protocol/mls/structures/group-info.js'
import { makeParentNode } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { parentHash } from '../../src/protocol/public-group/tree/tree-hash.js'
import { TreeDraft } from '../../src/protocol/public-group/tree/tree.js'
import { filteredDirectPath } from '../../src/protocol/public-group/tree/resolution.js'
import { Forge, forgeLeaf } from '../../test/support/mls/forge.js'

/**
 * A group in which every other member has committed, in random order: no parent node is blank and no leaf unmerged, so that a
 * path is encrypted to one key per level, as it is in a group that has been in use. Signatures and parent hashes are right.
 */
export async function grownGroup(members: number): Promise<Forge> {
  const forge = await Forge.group(members)
  const { groupContext, tree } = forge.state
  const draft = new TreeDraft(tree)
  for (const leafIndex of shuffled(Array.from({ length: Math.ceil(members / 2) }, (_, pair) => 2 * pair)))
    await commitPath(forge, draft, leafIndex)
  const grown = draft.seal()
  return forge.at({ ...forge.state, tree: grown, groupContext: makeGroupContext({ ...groupContext, treeHash: grown.hash }) })
}

async function commitPath(forge: Forge, draft: TreeDraft, leafIndex: number): Promise<void> {
  let above: Uint8Array = new Uint8Array()
  for (const { node, copathChild } of filteredDirectPath(draft, leafIndex).toReversed()) {
    const parent = makeParentNode({ encryptionKey: new Uint8Array(randomBytes(32)), parentHash: above, unmergedLeaves: [] })
    draft.setParent(node, parent)
    above = parentHash(draft.algorithm, parent, draft.hash(copathChild))
  }
  const place = { groupId: forge.state.groupContext.groupId, leafIndex }
  draft.setLeaf(leafIndex, await forgeLeaf(forge.key(leafIndex), `m${leafIndex}`, { kind: 'commit', parentHash: above }, place))
}

export function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
