import { beforeAll, describe, expect, it } from '@jest/globals'
import type { ValidCommit } from '../../src/protocol/public-group/commit.js'
import { makeGroupContext } from '../../src/protocol/mls/structures/group-info.js'
import { makeParentNode, type TreeNodes } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { seed } from '../../src/protocol/public-group/seed.js'
import { Tree } from '../../src/protocol/public-group/tree/tree.js'
import { groupInfoMessage } from '../support/mls/follower.js'
import { Forge, forgeGroupInfo, forgeKeyPackage, newKey } from '../support/mls/forge.js'
import { byValue, proposals } from '../support/mls/proposals.js'
import { judgeCommit, type Verdict } from './negative/forged-group-fixture.js'

// Eight leaves, the last of them new. Nodes are numbered as in RFC 9420 Appendix C: the root is 7, its right child 11.
const NODE_11 = 5
const ROOT = 3

describe('a leaf that came after the nodes above it were set', () => {
  let forge: Forge

  beforeAll(async () => {
    const seven = await Forge.group(7)
    const after = (before: Forge, verdict: Verdict) => {
      expect(verdict).toMatchObject({ kind: 'valid' })
      return before.at((verdict as ValidCommit).next)
    }
    // Leaf 4 sets 9, 11 and 7; leaf 0 sets 1, 3 and 7 again, so that it vouches for 11 as it was then: without leaf 7.
    const right = after(seven, await judgeCommit(seven, [], { by: 4 }))
    const left = after(right, await judgeCommit(right, [], { by: 0 }))
    const add = byValue(proposals.add(await forgeKeyPackage(newKey(), 'new')))
    forge = after(left, await judgeCommit(left, [add], { path: null }))
  })

  async function shown(change: (nodes: TreeNodes) => TreeNodes): Promise<Verdict> {
    const ratchetTree = change(forge.state.tree.nodes())
    const context = makeGroupContext({ ...forge.state.groupContext, treeHash: Tree.of('sha256', ratchetTree).hash })
    return seed({ groupInfo: groupInfoMessage(await forgeGroupInfo(context, forge.key(0), {})), ratchetTree })
  }

  it('is unmerged at each of them, and joiners see what they vouched for', async () => {
    const { parents } = forge.state.tree.nodes()
    expect([parents[NODE_11], parents[ROOT]]).toMatchObject([{ unmergedLeaves: [7] }, { unmergedLeaves: [7] }])
    expect(await shown((nodes) => nodes)).toMatchObject({ kind: 'seeded' })
  })

  it('is not merged at one below another where it is unmerged, though there is a blank node between', async () => {
    const merged = ({ leaves, parents }: TreeNodes): TreeNodes => ({
      leaves,
      parents: parents.with(NODE_11, makeParentNode({ ...parents[NODE_11]!, unmergedLeaves: [] })),
    })
    expect(await shown(merged)).toMatchObject({ kind: 'refused', rule: 'unmerged-leaf-throughout' })
  })

  it('is unmerged at no node that was set with its key', async () => {
    const unmerged = ({ leaves, parents }: TreeNodes): TreeNodes => ({
      leaves,
      parents: parents.with(NODE_11, makeParentNode({ ...parents[NODE_11]!, unmergedLeaves: [6, 7] })),
    })
    expect(await shown(unmerged)).toMatchObject({ kind: 'refused', rule: 'parent-hash' })
  })
})
