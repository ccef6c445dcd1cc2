import type { LeafNode } from '../../../src/protocol/mls/structures/leaf-node.js'
import { makeGroupContext, type GroupContextFields } from '../../../src/protocol/mls/structures/group-info.js'
import { makeParentNode, type ParentNode, type TreeNodes } from '../../../src/protocol/mls/structures/ratchet-tree.js'
import { applyCommit } from '../../../src/protocol/public-group/apply-commit.js'
import { seed } from '../../../src/protocol/public-group/seed.js'
import { leafHash, parentHash } from '../../../src/protocol/public-group/tree/tree-hash.js'
import { Tree } from '../../../src/protocol/public-group/tree/tree.js'
import { groupInfoMessage, publicMessage } from '../../support/mls/follower.js'
import { Forge, forgeGroupInfo, forgeLeaf, newKey, type GroupInfoChanges } from '../../support/mls/forge.js'
import { newHpkeKey } from '../../support/mls/forge-keys.js'
import type { PathChanges } from '../../support/mls/forge-path.js'
import { group, once, requiredCapabilities, type NegativeCase, type Verdict } from './forged-group-fixture.js'

/** No parent hash depends on a leaf of this group. */
const flat = once(() => Forge.group(5))

interface SeedChanges extends GroupInfoChanges {
  readonly context?: Partial<GroupContextFields>
  readonly nodes?: (right: TreeNodes) => TreeNodes | Promise<TreeNodes>
  readonly signedBy?: ReturnType<typeof newKey>
}

/** What a joiner would be shown of a group, with a tree hash and a signature that fit what is changed. */
async function shown(forge: Forge, changes: SeedChanges): Promise<Verdict> {
  const right = forge.state.tree.nodes()
  const ratchetTree = (await changes.nodes?.(right)) ?? right
  const treeHash = Tree.of('sha256', ratchetTree).hash
  const context = makeGroupContext({ ...forge.state.groupContext, treeHash, ...changes.context })
  const groupInfo = await forgeGroupInfo(context, changes.signedBy ?? forge.key(0), changes)
  return seed({ groupInfo: groupInfoMessage(groupInfo), ratchetTree })
}

function showing(changes: SeedChanges): () => Promise<Verdict> {
  return async () => shown(await group(), changes)
}

/** The group after a Commit that nobody judged. */
async function unjudged(path: PathChanges): Promise<Verdict> {
  const forge = await group()
  const applied = applyCommit(forge.state, publicMessage(await forge.commit([], await forge.path([], 0, path))))
  if (applied.kind === 'refused') throw new Error(applied.rule)
  return shown(forge.at(applied.next), {})
}

function withParent(at: number, change: (node: ParentNode) => Partial<ParentNode>): SeedChanges {
  const nodes = ({ leaves, parents }: TreeNodes): TreeNodes => {
    const node = parents[at]!
    return { leaves, parents: parents.with(at, makeParentNode({ ...node, ...change(node) })) }
  }
  return { nodes }
}

function withLeaf(
  at: number,
  make: (forge: Forge, place: { groupId: Uint8Array; leafIndex: number }) => Promise<LeafNode>,
  from: () => Promise<Forge> = flat,
): () => Promise<Verdict> {
  return async () => {
    const forge = await from()
    const leaf = await make(forge, { groupId: forge.state.groupContext.groupId, leafIndex: at })
    return shown(forge, { nodes: ({ leaves, parents }) => ({ leaves: leaves.with(at, leaf), parents }) })
  }
}

/**
 * Leaves 0 to 3. Leaf 2 once set the node above it and leaf 3, which so is merged there; then leaf 0 set the node above it and
 * the root, and claims that leaf 3 is unmerged at the root. All parent hashes fit that claim.
 */
async function mergedBelowUnmergedAbove(): Promise<Verdict> {
  const forge = await Forge.group(4)
  const { groupId } = forge.state.groupContext
  const [, leaf1, , leaf3] = forge.state.tree.nodes().leaves
  const set = (parentHash: Uint8Array, leafIndex: number) =>
    forgeLeaf(forge.key(leafIndex), `m${leafIndex}`, { kind: 'commit', parentHash }, { groupId, leafIndex })
  const over23 = makeParentNode({ encryptionKey: newHpkeKey(), parentHash: new Uint8Array(32), unmergedLeaves: [] })
  const leaf2 = await set(parentHash('sha256', over23, leafHash('sha256', 3, leaf3)), 2)
  // As it was without leaf 3: only a tree of that shape has the tree hash of the right half at hand.
  const parents = [undefined, undefined, over23]
  const blanked = Tree.of('sha256', { leaves: [undefined, leaf1, leaf2, undefined], parents })
  const root = makeParentNode({ encryptionKey: newHpkeKey(), parentHash: new Uint8Array(), unmergedLeaves: [3] })
  const over01 = makeParentNode({
    encryptionKey: newHpkeKey(),
    parentHash: parentHash('sha256', root, blanked.hashes.at(5)!),
    unmergedLeaves: [],
  })
  const leaf0 = await set(parentHash('sha256', over01, leafHash('sha256', 1, leaf1)), 0)
  return shown(forge, { nodes: () => ({ leaves: [leaf0, leaf1, leaf2, leaf3], parents: [over01, root, over23] }) })
}

/** RFC 9420 §12.4.3.1. */
export const seedingCases: NegativeCase[] = [
  { rule: 'cipher-suite', title: 'of a suite of private use', verdict: showing({ context: { cipherSuite: 0xf001 } }) },
  { rule: 'tree-hash', title: 'with another tree', verdict: showing({ context: { treeHash: new Uint8Array(32) } }) },
  {
    rule: 'confirmed-transcript-hash',
    title: 'without a transcript',
    verdict: showing({ context: { confirmedTranscriptHash: new Uint8Array() } }),
  },
  { rule: 'confirmed-transcript-hash', title: 'with a transcript at epoch 0', verdict: showing({ context: { epoch: 0n } }) },
  { rule: 'confirmation-tag', title: 'with a confirmation tag of 48 bytes', verdict: showing({ confirmationTag: new Uint8Array(48) }) },
  { rule: 'group-info-signature', title: 'signed by a stranger', verdict: showing({ signedBy: newKey() }) },
  { rule: 'group-info-signature', title: 'signed by a blank leaf', verdict: showing({ signer: 6 }) },
  {
    rule: 'external-pub',
    title: 'with an external_pub that is no key',
    verdict: showing({ extensions: [{ type: 4, data: new Uint8Array(1) }] }),
  },
  {
    rule: 'required-capabilities',
    title: 'with required_capabilities that nobody can read',
    verdict: showing({ context: { extensions: [{ type: 3, data: Buffer.of(1) }] } }),
  },
  {
    rule: 'leaf-node-required-capabilities',
    title: 'with a member that lacks what is required',
    verdict: showing({ context: { extensions: [requiredCapabilities({ proposals: [0xf0f0] })] } }),
  },
  {
    rule: 'parent-node-hpke-key',
    title: 'with a parent node’s key of small order',
    verdict: () => unjudged({ keys: (right) => [new Uint8Array(32), ...right.slice(1)] }),
  },
  {
    rule: 'parent-node-key',
    title: 'with one key at two parent nodes',
    verdict: () => unjudged({ keys: (right) => [right[0]!, right[0]!, ...right.slice(2)] }),
  },
  {
    rule: 'parent-hash',
    title: 'with a leaf that vouches for another path',
    verdict: withLeaf(0, (forge, place) => forgeLeaf(forge.key(0), 'm0', { kind: 'commit', parentHash: new Uint8Array(32) }, place), group),
  },
  {
    rule: 'parent-hash',
    title: 'with a parent node’s key exchanged',
    verdict: showing(withParent(0, () => ({ encryptionKey: newHpkeKey() }))),
  },
  { rule: 'unmerged-leaf', title: 'with a blank leaf unmerged', verdict: showing(withParent(3, () => ({ unmergedLeaves: [7] }))) },
  {
    rule: 'unmerged-leaf',
    title: 'with a leaf unmerged that the tree does not have',
    verdict: showing(withParent(3, () => ({ unmergedLeaves: [100] }))),
  },
  { rule: 'unmerged-leaf-throughout', title: 'with a leaf merged below and unmerged above', verdict: mergedBelowUnmergedAbove },
  {
    rule: 'leaf-node-hpke-key',
    title: 'with a leaf whose encryption key is of small order',
    verdict: withLeaf(3, (forge, place) => forgeLeaf(forge.key(3), 'm3', { kind: 'update' }, place, { encryptionKey: new Uint8Array(32) })),
  },
  {
    rule: 'leaf-node-signature',
    title: 'with a leaf signed for another place',
    verdict: withLeaf(3, (forge, { groupId }) => forgeLeaf(forge.key(3), 'm3', { kind: 'update' }, { groupId, leafIndex: 4 })),
  },
  {
    rule: 'leaf-node-signature-key',
    title: 'with one signature key at two leaves',
    verdict: withLeaf(3, (forge, place) => forgeLeaf(forge.key(2), 'm3', { kind: 'update' }, place)),
  },
  {
    rule: 'leaf-node-encryption-key',
    title: 'with one encryption key at two leaves',
    verdict: withLeaf(3, (forge, place) =>
      forgeLeaf(forge.key(3), 'm3', { kind: 'update' }, place, { encryptionKey: forge.state.tree.leaf(4)!.encryptionKey }),
    ),
  },
]
