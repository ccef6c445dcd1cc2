import { beforeAll, describe, expect, it } from '@jest/globals'
import type { ValidCommit } from '../../src/protocol/public-group/commit.js'
import { Forge, forgeKeyPackage, forgeLeaf, newKey } from '../support/mls/forge.js'
import { byReference, byValue, proposals } from '../support/mls/proposals.js'
import { judgeCommit, judgeExternal, waiting, type Verdict } from './negative/forged-group-fixture.js'

/** Leaf indices. */
function changes(verdict: Verdict): Record<'added' | 'removed' | 'updated', number[]> {
  expect(verdict).toMatchObject({ kind: 'valid' })
  const { added, removed, updated } = verdict as ValidCommit
  const [gained, lost, renewed] = [added, removed, updated].map((members) => members.map(({ leafIndex }) => leafIndex))
  return { added: gained ?? [], removed: lost ?? [], updated: renewed ?? [] }
}

describe('what a Commit says about the members', () => {
  let forge: Forge
  let add: Uint8Array

  beforeAll(async () => {
    forge = await Forge.group(4)
    add = byValue(proposals.add(await forgeKeyPackage(newKey(), 'new')))
  })

  it('is that its committer has a new leaf, if there is a path', async () => {
    expect(changes(await judgeCommit(forge, [], { by: 1 }))).toEqual({ added: [], removed: [], updated: [1] })
    expect(changes(await judgeCommit(forge, [add], { by: 1, path: null }))).toEqual({ added: [4], removed: [], updated: [] })
  })

  it('tells who is updated from who is removed', async () => {
    const place = { groupId: forge.state.groupContext.groupId, leafIndex: 2 }
    const leaf = await forgeLeaf(forge.key(2), 'm2', { kind: 'update' }, place)
    const { forge: later, ref } = await waiting(forge, proposals.update(leaf), 2)
    const items = [add, byReference(ref), byValue(proposals.remove(1))]
    expect(changes(await judgeCommit(later, items))).toEqual({ added: [1], removed: [1], updated: [2, 0] })
  })

  it('is no update of a joiner from outside, who is the committer', async () => {
    const verdict = await judgeExternal(forge, [byValue(proposals.externalInit())])
    expect(changes(verdict)).toEqual({ added: [], removed: [], updated: [] })
    expect(verdict).toMatchObject({ external: true, committer: { leafIndex: 4 } })
  })
})
