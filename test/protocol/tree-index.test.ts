import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { LeafNode } from '../../src/protocol/mls/structures/leaf-node.js'
import { makeParentNode, type ParentNode } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { applyProposals, takeBlankLeaf } from '../../src/protocol/public-group/proposals/apply-proposals.js'
import { blankPath } from '../../src/protocol/public-group/tree/update-path.js'
import { root } from '../../src/protocol/public-group/tree/tree-math.js'
import { Tree, TreeDraft } from '../../src/protocol/public-group/tree/tree.js'
import { filteredDirectPath } from '../../src/protocol/public-group/tree/resolution.js'
import { forgeLeaf, newKey } from '../support/mls/forge.js'

/** Few, so that the same keys and names come again. */
let leaves: LeafNode[]
let parents: ParentNode[]

beforeAll(async () => {
  const key = newKey()
  leaves = await Promise.all(
    Array.from({ length: 8 }, (_, at) => forgeLeaf(at < 2 ? key : newKey(), `m${at % 5}`, { kind: 'key-package' })),
  )
  parents = Array.from({ length: 8 }, () =>
    makeParentNode({ encryptionKey: new Uint8Array(randomBytes(32)), parentHash: new Uint8Array(), unmergedLeaves: [] }),
  )
})

type Step = { readonly do: 'add' | 'replace' | 'remove' | 'path'; readonly at: number; readonly which: number }

const history = fc.array(
  fc.record<Step>({ do: fc.constantFrom('add', 'add', 'replace', 'remove', 'path'), at: fc.nat(99), which: fc.nat(7) }),
  { minLength: 1, maxLength: 60 },
)

/** Changes a tree like a Commit does; a removal may halve it. */
function change(draft: TreeDraft, { do: what, at, which }: Step): void {
  const leafIndex = at % draft.leafCount
  const occupied = draft.leaf(leafIndex) !== undefined
  if (what === 'add') draft.setLeaf(takeBlankLeaf(draft) ?? 0, leaves[which])
  else if (occupied && what === 'replace') draft.setLeaf(leafIndex, leaves[which])
  else if (occupied && what === 'path') for (const { node } of filteredDirectPath(draft, leafIndex)) draft.setParent(node, parents[which])
  else if (occupied && what === 'remove' && leafIndex > 0) {
    draft.setLeaf(leafIndex, undefined)
    blankPath(draft, leafIndex)
    applyProposals(draft, [])
  }
}

/** All that the index answers, and the hash, from one walk over the nodes. */
function rebuilt(tree: Tree): Tree {
  return Tree.of(tree.algorithm, tree.nodes())
}

function answers(tree: Tree): unknown {
  const nodes = Array.from({ length: 2 * tree.leafCount - 1 }, (_, node) => node)
  const draft = new TreeDraft(tree)
  return {
    hash: Buffer.from(tree.hash).toString('hex'),
    weight: tree.weight,
    credentialTypes: [...tree.index.credentialTypes],
    signatureKeys: leaves.map(({ signatureKey }) => tree.index.signatureKeys.count(signatureKey)),
    encryptionKeys: [...leaves, ...parents].map(({ encryptionKey }) => tree.index.encryptionKeys.count(encryptionKey)),
    named: leaves.map((_, at) => tree.leavesNamed(Buffer.from(`m${at}`)).sort((a, b) => a - b)),
    empty: nodes.filter((node) => tree.isEmpty(node)),
    blanks: Array.from({ length: tree.leafCount }, (_, from) => draft.firstBlank(from)),
    last: draft.lastOccupied(),
  }
}

/** The same by looking at every leaf. */
function walked(tree: Tree): unknown {
  const indices = Array.from({ length: tree.leafCount }, (_, leafIndex) => leafIndex)
  const occupied = (leafIndex: number) => tree.leaf(leafIndex) !== undefined
  const named = (name: string) => (leafIndex: number) => {
    const credential = tree.leaf(leafIndex)?.credential
    return credential?.kind === 'basic' && Buffer.from(credential.identity).toString() === name
  }
  const reach = (node: number) => {
    let level = 0
    while ((node >> level) & 1) level++
    return 2 ** level - 1
  }
  const nodes = Array.from({ length: root(tree.leafCount) * 2 + 1 }, (_, node) => node)
  return {
    named: leaves.map((_, at) => indices.filter(named(`m${at}`))),
    signatureKeys: leaves.map(
      ({ signatureKey }) =>
        indices.filter((at) => tree.leaf(at)?.signatureKey === signatureKey || same(tree.leaf(at)?.signatureKey, signatureKey)).length,
    ),
    empty: nodes.filter((node) => indices.every((at) => !occupied(at) || Math.abs(2 * at - node) > reach(node))),
    blanks: indices.map((from) => indices.find((at) => at >= from && !occupied(at))),
    last: indices.findLast(occupied),
  }
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}

describe('what a tree knows of all its nodes at once', () => {
  it('is after any history what a walk over the whole tree finds, in every version of it', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const versions: { tree: Tree; said: unknown }[] = []
        let tree = Tree.of('sha256', { leaves: leaves.slice(0, 1), parents: [] })
        for (const step of steps) {
          const draft = new TreeDraft(tree)
          change(draft, step)
          tree = draft.seal()
          versions.push({ tree, said: answers(tree) })
        }
        for (const version of versions) {
          expect(answers(version.tree)).toEqual(version.said)
          expect(version.said).toEqual(answers(rebuilt(version.tree)))
          expect(version.said).toMatchObject(walked(version.tree) as object)
        }
      }),
      { numRuns: 60 },
    )
  })
})
