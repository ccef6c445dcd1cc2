import { readKeyPackage } from '../../../src/protocol/mls/structures/key-package.js'
import { MAX_LEAVES } from '../../../src/protocol/mls/structures/ratchet-tree.js'
import { applyProposals } from '../../../src/protocol/public-group/proposals/apply-proposals.js'
import { Tree, TreeDraft } from '../../../src/protocol/public-group/tree/tree.js'
import { TlsReader } from '../../../src/protocol/tls/reader.js'
import { forgeKeyPackage, forgeLeaf, newKey } from '../../support/mls/forge.js'
import { newHpkeKey } from '../../support/mls/forge-keys.js'
import type { PathChanges } from '../../support/mls/forge-path.js'
import { byValue, proposals } from '../../support/mls/proposals.js'
import { group, judgeCommit, type NegativeCase, type Verdict } from './forged-group-fixture.js'

/** An empty Commit of the first member, whose nodes hold keys of the Commit before. */
function withPath(change: PathChanges | ((forge: Awaited<ReturnType<typeof group>>) => PathChanges)): () => Promise<Verdict> {
  return async () => {
    const forge = await group()
    return judgeCommit(forge, [], { path: typeof change === 'function' ? change(forge) : change })
  }
}

function replaceFirst(key: Uint8Array): PathChanges {
  return { keys: (right) => [key, ...right.slice(1)] }
}

/** RFC 9420 §7.6, §7.9, §12.4.2. */
export const updatePathCases: NegativeCase[] = [
  { rule: 'update-path-length', title: 'a node too many', verdict: withPath({ extraNode: true }) },
  { rule: 'update-path-hpke-key', title: 'a node’s key of small order', verdict: withPath(replaceFirst(new Uint8Array(32))) },
  { rule: 'update-path-hpke-key', title: 'a node’s key a byte too long', verdict: withPath(replaceFirst(new Uint8Array(33).fill(9))) },
  { rule: 'update-path-ciphertexts', title: 'a ciphertext too many', verdict: withPath({ ciphertexts: 1 }) },
  { rule: 'update-path-ciphertexts', title: 'a ciphertext too few', verdict: withPath({ ciphertexts: -1 }) },
  {
    rule: 'update-path-ciphertexts',
    title: 'a ciphertext for a member that the Commit adds',
    verdict: async () => {
      const forge = await group()
      const items = [byValue(proposals.add(await forgeKeyPackage(newKey(), 'new')))]
      // The new member gets leaf 6: the copath of leaf 5 above its sibling.
      return judgeCommit(forge, items, { by: 4, path: { ciphertexts: 1 } })
    },
  },
  { rule: 'update-path-ciphertext-size', title: 'a kem_output a byte too short', verdict: withPath({ kemOutputBytes: 31 }) },
  { rule: 'update-path-ciphertext-size', title: 'a path secret a byte too long', verdict: withPath({ ciphertextBytes: 49 }) },
  {
    rule: 'update-path-ciphertext-size',
    title: 'the last path secret of a node a byte too long',
    verdict: withPath({ lastCiphertextBytes: 49 }),
  },
  {
    rule: 'update-path-keys',
    title: 'the leaf’s present key',
    verdict: withPath((forge) => ({ leaf: { encryptionKey: forge.state.tree.leaf(0)!.encryptionKey } })),
  },
  {
    rule: 'update-path-keys',
    title: 'another member’s key',
    verdict: withPath((forge) => replaceFirst(forge.state.tree.leaf(3)!.encryptionKey)),
  },
  {
    rule: 'update-path-keys',
    title: 'the present key of a node above',
    verdict: withPath((forge) => replaceFirst(forge.state.tree.parent(3)!.encryptionKey)),
  },
  {
    rule: 'update-path-keys-distinct',
    title: 'one key for two nodes',
    verdict: withPath({ keys: (right) => [right[0]!, right[0]!, ...right.slice(2)] }),
  },
  {
    rule: 'update-path-keys-distinct',
    title: 'one key for the leaf and a node',
    verdict: () => {
      const key = newHpkeKey()
      return withPath({ ...replaceFirst(key), leaf: { encryptionKey: key } })()
    },
  },
  { rule: 'update-path-parent-hash', title: 'a leaf with another parent hash', verdict: withPath({ parentHash: new Uint8Array(32) }) },
  {
    rule: 'tree-size',
    title: 'an Add to a tree that cannot grow',
    verdict: async () => {
      const leaf = await forgeLeaf(newKey(), 'x', { kind: 'key-package' })
      const leaves = Array.from({ length: MAX_LEAVES }, () => leaf)
      const tree = Tree.of('sha256', { leaves, parents: leaves.slice(1).map(() => undefined) })
      const keyPackage = readKeyPackage(new TlsReader(await forgeKeyPackage(newKey(), 'new')))
      const add = { proposal: { kind: 'add', keyPackage }, sender: { kind: 'member', leafIndex: 0 }, byReference: false } as const
      return applyProposals(new TreeDraft(tree), [add])
    },
  },
]
