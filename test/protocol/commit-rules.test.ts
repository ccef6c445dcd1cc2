import { beforeAll, describe, expect, it } from '@jest/globals'
import { applyCommit } from '../../src/protocol/public-group/apply-commit.js'
import { validateCommit, type ValidCommit } from '../../src/protocol/public-group/commit.js'
import { validateProposal } from '../../src/protocol/public-group/proposals/proposal.js'
import { addProposal } from '../../src/protocol/public-group/state.js'
import { outcome, publicMessage } from '../support/mls/follower.js'
import { Forge, forgeKeyPackage, forgeLeaf, newKey, type Forgery } from '../support/mls/forge.js'
import { byReference, byValue, proposals } from '../support/mls/proposals.js'

let forge: Forge

beforeAll(async () => {
  forge = await Forge.group(6)
})

/** The rule that refuses a Commit of these proposals with the path they need, or 'valid'. */
async function ruleFor(items: Uint8Array[], by: number | 'joiner' = 0, forgery: Forgery = {}): Promise<string> {
  const key = newKey()
  const path = await forge.path(items, by === 'joiner' ? key : by)
  const joining: Forgery = by === 'joiner' ? { sender: { kind: 'new-member-commit' }, key } : {}
  const commit = await forge.commit(items, path, by === 'joiner' ? 0 : by, { ...joining, ...forgery })
  return outcome(await validateCommit(forge.state, publicMessage(commit)))
}

async function withPending(proposal: Uint8Array, by: number): Promise<{ forge: Forge; ref: Uint8Array }> {
  const message = publicMessage(await forge.proposal(proposal, by))
  const verdict = await validateProposal(forge.state, message)
  if (verdict.kind === 'refused') throw new Error(verdict.rule)
  return { forge: forge.at(addProposal(forge.state, message)), ref: verdict.ref }
}

describe('the framing of a Commit', () => {
  it.each([
    ['of another group', { groupId: Buffer.from('other') }, 'group-id'],
    ['of the epoch before', { epoch: 2n }, 'epoch'],
    ['of the epoch after', { epoch: 4n }, 'epoch'],
    ['from a leaf past the tree', { sender: { kind: 'member', leafIndex: 4_000_000_000 } }, 'sender-is-member'],
    ['from a blank leaf', { sender: { kind: 'member', leafIndex: 7 } }, 'sender-is-member'],
    ['signed by another key than the sender leaf has', { sender: { kind: 'member', leafIndex: 1 } }, 'signature'],
    ['from an external sender', { sender: { kind: 'external', senderIndex: 0 } }, 'sender-content'],
    ['from a new member who only proposes', { sender: { kind: 'new-member-proposal' } }, 'sender-content'],
  ] satisfies [string, Forgery, string][])('is refused %s', async (_case, forgery, rule) => {
    expect(await ruleFor([], 0, forgery)).toBe(rule)
  })

  it('is refused for a joiner without a path, whose key is in it', async () => {
    const commit = await forge.commit([byValue(proposals.externalInit())], undefined, 0, { sender: { kind: 'new-member-commit' } })
    expect(outcome(await validateCommit(forge.state, publicMessage(commit)))).toBe('external-commit-path')
  })

  it('is refused for a Proposal submitted as a Commit', async () => {
    const proposal = publicMessage(await forge.proposal(proposals.remove(1)))
    expect(outcome(await validateCommit(forge.state, proposal))).toBe('content-type')
  })
})

describe('the proposals of a member’s Commit', () => {
  it('may be none, with a path', async () => {
    expect(await ruleFor([])).toBe('valid')
  })

  it.each([
    ['none without a path', []],
    ['a Remove without a path', [byValue(proposals.remove(1))]],
    ['new extensions without a path', [byValue(proposals.groupContextExtensions([]))]],
  ])('may not be %s', async (_case, items) => {
    const commit = await forge.commit(items, undefined)
    expect(outcome(await validateCommit(forge.state, publicMessage(commit)))).toBe('path-required')
  })

  it.each([
    ['a reference to nothing', [byReference(new Uint8Array(32))], 'proposal-reference'],
    ['a Remove of a blank leaf', [byValue(proposals.remove(6))], 'remove-member'],
    ['two Removes of one leaf', [byValue(proposals.remove(1)), byValue(proposals.remove(1))], 'one-change-per-leaf'],
    ['a Remove of the committer', [byValue(proposals.remove(0))], 'remove-committer'],
    ['SelfRemove by value', [byValue(proposals.selfRemove())], 'self-remove-by-reference'],
    ['ExternalInit', [byValue(proposals.externalInit())], 'external-init-of-member'],
    [
      'two lists of extensions',
      [byValue(proposals.groupContextExtensions([])), byValue(proposals.groupContextExtensions([]))],
      'one-group-context-extensions',
    ],
    ['ReInit and another', [byValue(proposals.reInit('next')), byValue(proposals.externalPsk('a'))], 'reinit-alone'],
  ])('may not be %s', async (_case, items, rule) => {
    expect(await ruleFor(items)).toBe(rule)
  })

  it('may not be a Remove of a leaf past the tree', async () => {
    const commit = await forge.commit([byValue(proposals.remove(4_000_000_000))], await forge.path([], 0))
    expect(outcome(await validateCommit(forge.state, publicMessage(commit)))).toBe('remove-member')
  })

  it('may not be an Update of the committer, by value or by reference', async () => {
    const leaf = await forgeLeaf(forge.key(1), 'm1', { kind: 'update' }, { groupId: forge.state.groupContext.groupId, leafIndex: 1 })
    expect(await ruleFor([byValue(proposals.update(leaf))], 1)).toBe('update-by-committer')

    const { forge: later, ref } = await withPending(proposals.update(leaf), 1)
    const own = await later.commit([byReference(ref)], await later.path([], 1), 1)
    expect(outcome(await validateCommit(later.state, publicMessage(own)))).toBe('update-by-committer')
    const others = await later.commit([byReference(ref)], await later.path([byReference(ref)], 2), 2)
    expect(await validateCommit(later.state, publicMessage(others))).toMatchObject({
      kind: 'valid',
      updated: [{ leafIndex: 1 }, { leafIndex: 2 }],
    })
  })

  it('may not add a KeyPackage of another cipher suite', async () => {
    const keyPackage = await forgeKeyPackage(newKey(), 'new', 3)
    expect(await ruleFor([byValue(proposals.add(keyPackage))])).toBe('add-cipher-suite')
  })

  it('may not name a proposal twice', async () => {
    const { forge: later, ref } = await withPending(proposals.remove(2), 1)
    const twice = await later.commit([byReference(ref), byReference(ref)], await later.path([byReference(ref)], 0))
    expect(outcome(await validateCommit(later.state, publicMessage(twice)))).toBe('proposal-reference-repeated')
    // An older release may have accepted it, and then the log has to be followed.
    expect(applyCommit(later.state, publicMessage(twice))).toMatchObject({ kind: 'applied', next: { groupContext: { epoch: 4n } } })
  })

  it('may not name a proposal of an epoch that is over', async () => {
    const { forge: later, ref } = await withPending(proposals.remove(2), 1)
    const empty = await validateCommit(later.state, publicMessage(await later.commit([], await later.path([], 0))))
    const next = later.at((empty as ValidCommit).next)
    const stale = await next.commit([byReference(ref)], await next.path([], 0))
    expect(outcome(await validateCommit(next.state, publicMessage(stale)))).toBe('proposal-reference')
  })

  it('may be a ReInit alone, which the caller learns', async () => {
    const commit = await forge.commit([byValue(proposals.reInit('next'))], undefined)
    const verdict = await validateCommit(forge.state, publicMessage(commit))
    expect(verdict).toMatchObject({ kind: 'valid', reinit: { cipherSuite: 1, version: 1 } })
  })

  it('replace all extensions of the group', async () => {
    const extension = { type: 0xf000, data: Buffer.from('x') }
    const items = [byValue(proposals.groupContextExtensions([extension]))]
    const verdict = await validateCommit(forge.state, publicMessage(await forge.commit(items, await forge.path(items, 0))))
    expect((verdict as ValidCommit).next.groupContext.extensions).toEqual([{ type: 0xf000, data: new Uint8Array(extension.data) }])
  })
})

describe('SelfRemove', () => {
  it('removes its sender in a Commit of another member, and of a joiner', async () => {
    const { forge: later, ref } = await withPending(proposals.selfRemove(), 3)
    const items = [byReference(ref)]
    const byMember = await validateCommit(later.state, publicMessage(await later.commit(items, await later.path(items, 0))))
    expect(byMember).toMatchObject({ kind: 'valid', removed: [{ leafIndex: 3, identity: 'm3' }] })

    const key = newKey()
    const joining = [byValue(proposals.externalInit()), ...items]
    const commit = await later.commit(joining, await later.path(joining, key), 0, { sender: { kind: 'new-member-commit' }, key })
    const byJoiner = await validateCommit(later.state, publicMessage(commit))
    // The leaf that became blank is the leftmost one, so the joiner takes it.
    expect(byJoiner).toMatchObject({ kind: 'valid', external: true, committer: { leafIndex: 3, identity: 'joiner' } })
    expect(byJoiner).toMatchObject({ removed: [{ leafIndex: 3, identity: 'm3' }] })
  })

  it('may not be committed by its sender', async () => {
    const { forge: later, ref } = await withPending(proposals.selfRemove(), 3)
    const commit = await later.commit([byReference(ref)], await later.path([], 3), 3)
    expect(outcome(await validateCommit(later.state, publicMessage(commit)))).toBe('remove-committer')
  })
})

describe('the proposals of an external Commit', () => {
  const init = byValue(proposals.externalInit())

  it.each([
    ['ExternalInit', [init]],
    ['ExternalInit, a Remove and PSKs', [byValue(proposals.remove(2)), byValue(proposals.externalPsk('a')), init]],
  ])('may be %s', async (_case, items) => {
    expect(await ruleFor(items, 'joiner')).toBe('valid')
  })

  it.each([
    ['two ExternalInits', [init, init], 'external-commit-one-init'],
    ['only PSKs', [byValue(proposals.externalPsk('a'))], 'external-commit-one-init'],
    ['two Removes', [init, byValue(proposals.remove(1)), byValue(proposals.remove(2))], 'external-commit-one-remove'],
    ['new extensions', [init, byValue(proposals.groupContextExtensions([]))], 'external-commit-proposals'],
    ['ReInit', [init, byValue(proposals.reInit('next'))], 'external-commit-proposals'],
    ['SelfRemove by value', [init, byValue(proposals.selfRemove())], 'self-remove-by-reference'],
  ])('may not be %s', async (_case, items, rule) => {
    expect(await ruleFor(items, 'joiner')).toBe(rule)
  })

  it('may not be an Update, which only a member has a leaf for', async () => {
    const leaf = await forgeLeaf(newKey(), 'joiner', { kind: 'update' })
    expect(await ruleFor([init, byValue(proposals.update(leaf))], 'joiner')).toBe('external-commit-proposals')
  })

  it('may not be a Remove by reference', async () => {
    const { forge: later, ref } = await withPending(proposals.remove(2), 1)
    const key = newKey()
    const items = [init, byReference(ref)]
    const commit = await later.commit(items, await later.path(items, key), 0, { sender: { kind: 'new-member-commit' }, key })
    expect(outcome(await validateCommit(later.state, publicMessage(commit)))).toBe('external-commit-by-value')
  })
})

describe('the path of a Commit', () => {
  it.each([
    ['has a node too few', { nodes: 1 }, 'update-path-length'],
    ['has a leaf that was made for an Update', { source: 'update' as const }, 'leaf-node-source'],
  ])('is refused if it %s', async (_case, changes, rule) => {
    const commit = await forge.commit([], await forge.path([], 0, changes))
    expect(outcome(await validateCommit(forge.state, publicMessage(commit)))).toBe(rule)
  })

  it('is refused if its leaf has another parent hash', async () => {
    const commit = await forge.commit([], await forge.path([], 0, { parentHash: new Uint8Array(32) }))
    expect(outcome(await validateCommit(forge.state, publicMessage(commit)))).toBe('update-path-parent-hash')
  })
})
