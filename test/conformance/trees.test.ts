import { expect, it } from '@jest/globals'
import { HASH_OF_SUITE, type HashAlgorithm } from '../../src/protocol/mls/hashes.js'
import { leafNodeSignature } from '../../src/protocol/mls/leaf-node-rules.js'
import { makeGroupContext } from '../../src/protocol/mls/structures/group-info.js'
import { readUpdatePath } from '../../src/protocol/mls/structures/commit.js'
import { readProposal } from '../../src/protocol/mls/structures/proposal.js'
import { encodeRatchetTree, makeParentNode } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { applyProposals } from '../../src/protocol/public-group/proposals/apply-proposals.js'
import { parentHashes } from '../../src/protocol/public-group/rules/parent-hash.js'
import { pathInTree } from '../../src/protocol/public-group/rules/path-rules.js'
import { resolution } from '../../src/protocol/public-group/tree/resolution.js'
import { isLeaf, left, leafNodeIndex, parent, right, root, sibling } from '../../src/protocol/public-group/tree/tree-math.js'
import { wholeTree } from '../../src/protocol/public-group/rules/tree-rules.js'
import { Tree, TreeDraft } from '../../src/protocol/public-group/tree/tree.js'
import { mergeUpdatePath } from '../../src/protocol/public-group/tree/update-path.js'
import { decodeWhole } from '../../src/protocol/tls/reader.js'
import { decoded, ratchetTree } from '../support/mls/follower.js'
import { describeVectors, fromHex } from '../support/vectors.js'

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? new Uint8Array()).toString('hex')
}

function treeOf(suite: number, tree: string): Tree {
  return Tree.of(HASH_OF_SUITE.get(suite) as HashAlgorithm, ratchetTree(fromHex(tree)))
}

type Nodes = (number | null)[]

describeVectors<{ n_leaves: number; root: number; left: Nodes; right: Nodes; parent: Nodes; sibling: Nodes }>('tree-math', (cases) => {
  it.each(cases)('of $n_leaves leaves', (vector) => {
    expect(root(vector.n_leaves)).toBe(vector.root)
    for (const node of vector.parent.keys()) {
      const isRoot = node === vector.root
      expect([isRoot ? null : parent(node), isRoot ? null : sibling(node)]).toEqual([vector.parent[node], vector.sibling[node]])
      expect([isLeaf(node) ? null : left(node), isLeaf(node) ? null : right(node)]).toEqual([vector.left[node], vector.right[node]])
    }
  })
})

interface TreeValidation {
  cipher_suite: number
  tree: string
  group_id: string
  tree_hashes: string[]
  resolutions: number[][]
}

describeVectors<TreeValidation>('tree-validation', (cases) => {
  const named = cases.map((vector, index) => ({ ...vector, index }))

  it.each(named)('$index (suite $cipher_suite): the hash of every subtree, and which ones are empty', (vector) => {
    const tree = treeOf(vector.cipher_suite, vector.tree)
    const draft = new TreeDraft(tree)
    expect(vector.tree_hashes.map((_, node) => hex(tree.hashes.at(node)))).toEqual(vector.tree_hashes)
    expect(vector.resolutions.map((_, node) => draft.isEmpty(node))).toEqual(vector.resolutions.map(({ length }) => length === 0))
    expect(vector.resolutions.map((_, node) => resolution(tree, node))).toEqual(vector.resolutions)
  })

  it.each(named)('$index (suite $cipher_suite): is a tree that a joiner takes, and another parent key makes it none', (vector) => {
    const tree = treeOf(vector.cipher_suite, vector.tree)
    const groupContext = makeGroupContext({
      version: 1,
      cipherSuite: vector.cipher_suite,
      groupId: fromHex(vector.group_id),
      epoch: 1n,
      treeHash: tree.hash,
      confirmedTranscriptHash: new Uint8Array(),
      extensions: [],
    })
    expect(wholeTree(tree, groupContext)).toBeUndefined()
    for (const [at, parent] of tree.parents.toArray().entries()) {
      if (parent === undefined) continue
      const draft = new TreeDraft(tree)
      draft.setParent(2 * at + 1, makeParentNode({ ...parent, encryptionKey: parent.encryptionKey.toReversed() }))
      expect(parentHashes(draft.seal())?.rule).toBe('parent-hash')
    }
  })

  it.each(named)('$index (suite $cipher_suite): every leaf is signed for its place', async (vector) => {
    const groupId = fromHex(vector.group_id)
    for (const [leafIndex, leaf] of treeOf(vector.cipher_suite, vector.tree).leaves.toArray().entries()) {
      if (leaf === undefined) continue
      expect(await leafNodeSignature(vector.cipher_suite, leaf, { groupId, leafIndex })).toBeUndefined()
      const inPlace = leaf.source.kind !== 'key-package'
      const elsewhere = await leafNodeSignature(vector.cipher_suite, leaf, { groupId, leafIndex: leafIndex + 1 })
      expect(elsewhere?.rule).toBe(inPlace ? 'leaf-node-signature' : undefined)
    }
  })
})

interface TreeOperation {
  cipher_suite: number
  proposal: string
  proposal_sender: number
  tree_before: string
  tree_after: string
  tree_hash_before: string
  tree_hash_after: string
}

describeVectors<TreeOperation>('tree-operations', (cases) => {
  it.each(cases.map((vector, index) => ({ ...vector, index })))('$index: the proposal turns one tree into the other', (vector) => {
    const before = treeOf(vector.cipher_suite, vector.tree_before)
    expect(hex(before.hash)).toBe(vector.tree_hash_before)

    const draft = new TreeDraft(before)
    const proposal = decoded(decodeWhole(fromHex(vector.proposal), readProposal))
    applyProposals(draft, [{ proposal, sender: { kind: 'member', leafIndex: vector.proposal_sender }, byReference: true }])
    const after = draft.seal()
    expect([hex(after.hash), hex(encodeRatchetTree(after.nodes()))]).toEqual([vector.tree_hash_after, vector.tree_after])
    expect([hex(before.hash), hex(encodeRatchetTree(before.nodes()))]).toEqual([vector.tree_hash_before, vector.tree_before])
  })
})

interface TreeKem {
  cipher_suite: number
  ratchet_tree: string
  update_paths: { sender: number; tree_hash_after: string; update_path: string }[]
}

describeVectors<TreeKem>('treekem', (cases) => {
  it.each(cases.map((vector, index) => ({ ...vector, index })))('$index (suite $cipher_suite): paths merge into the tree', (vector) => {
    const tree = treeOf(vector.cipher_suite, vector.ratchet_tree)
    for (const { sender, update_path, tree_hash_after } of vector.update_paths) {
      const draft = new TreeDraft(tree)
      const path = decoded(decodeWhole(fromHex(update_path), readUpdatePath))
      const place = { suite: vector.cipher_suite, tree: draft, committer: sender, added: [] }
      expect(pathInTree(place, path)).toBeUndefined()
      expect(mergeUpdatePath(draft, sender, path)).toBeUndefined()
      expect(hex(draft.seal().hash)).toBe(tree_hash_after)
      expect(draft.isBlank(leafNodeIndex(sender))).toBe(false)
    }
  })
})
