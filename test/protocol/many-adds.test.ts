import { beforeAll, describe, expect, it, jest } from '@jest/globals'
import { weightOf } from '../../src/groups/state/state-cache.js'
import { decodeWhole } from '../../src/protocol/tls/reader.js'
import { readKeyPackage } from '../../src/protocol/mls/structures/key-package.js'
import { applyProposals } from '../../src/protocol/public-group/proposals/apply-proposals.js'
import { validateCommit, type CommitBundle, type ValidCommit } from '../../src/protocol/public-group/commit.js'
import type { SentProposal } from '../../src/protocol/public-group/proposals/pending-proposals.js'
import { MAX_ADDS } from '../../src/protocol/public-group/proposals/proposal-list.js'
import { addProposal, type PublicGroupState } from '../../src/protocol/public-group/state.js'
import { TreeDraft } from '../../src/protocol/public-group/tree/tree.js'
import { decoded, outcome, publicMessage, welcomeMessage } from '../support/mls/follower.js'
import { Forge, forgeKeyPackage, forgeWelcome, newKey } from '../support/mls/forge.js'
import { newHpkeKey } from '../support/mls/forge-keys.js'
import { byReference, byValue, proposals } from '../support/mls/proposals.js'

let forge: Forge
let keyPackage: Uint8Array

/** Six members, of which one has committed: the nodes above it hold keys. */
beforeAll(async () => {
  const before = await Forge.group(6)
  const verdict = await validateCommit(before.state, publicMessage(await before.commit([], await before.path([], 0))))
  forge = before.at((verdict as ValidCommit).next)
  keyPackage = await forgeKeyPackage(newKey(), 'new')
})

function adds(count: number): SentProposal[] {
  const proposal = { kind: 'add', keyPackage: decoded(decodeWhole(keyPackage, readKeyPackage)) } as const
  return Array.from({ length: count }, () => ({ proposal, sender: { kind: 'member', leafIndex: 0 }, byReference: true }))
}

async function ruleFor(items: Uint8Array[], bundle: CommitBundle = {}, change: { nodes?: number } = {}): Promise<string> {
  const commit = await forge.commit(items, await forge.path(items, 0, change))
  return outcome(await validateCommit(forge.state, publicMessage(commit), bundle))
}

describe('many Adds in one Commit', () => {
  it('write each node above them once', () => {
    const draft = new TreeDraft(forge.state.tree)
    const written = jest.spyOn(draft, 'setParent')
    applyProposals(draft, adds(1_000))
    const nodes = written.mock.calls.map(([node]) => node)
    expect(nodes.length).toBeGreaterThan(0)
    expect(new Set(nodes).size).toBe(nodes.length)
  })

  it('lead to the tree that one after the other leads to', () => {
    const [together, apart] = [new TreeDraft(forge.state.tree), new TreeDraft(forge.state.tree)]
    applyProposals(together, adds(50))
    for (const add of adds(50)) applyProposals(apart, [add])
    const [one, other] = [together.seal(), apart.seal()]
    expect([Buffer.from(one.hash).toString('hex'), one.weight]).toEqual([Buffer.from(other.hash).toString('hex'), other.weight])
  })

  it('are validated by reference', async () => {
    let { state } = forge
    for (let i = 0; i < 40; i++) {
      const add = proposals.add(await forgeKeyPackage(newKey(), `n${i}`))
      state = addProposal(state, publicMessage(await forge.proposal(add, i % 6)))
    }
    const later = forge.at(state)
    const items = [...state.pending.values()].map(({ ref }) => byReference(ref))
    const verdict = await validateCommit(state, publicMessage(await later.commit(items, await later.path(items, 0))))
    expect((verdict as ValidCommit).added.map(({ leafIndex }) => leafIndex)).toEqual(Array.from({ length: 40 }, (_, i) => 6 + i))
  })

  it(`are at most ${MAX_ADDS}`, async () => {
    const items = Array.from({ length: MAX_ADDS + 1 }, () => byValue(proposals.add(keyPackage)))
    expect(await ruleFor(items)).toBe('too-many-adds')
  })

  it.each([
    ['encryption', 'leaf-node-encryption-key', { leaf: { encryptionKey: newHpkeKey() } }],
    ['init', 'add-init-key', { initKey: newHpkeKey() }],
  ] as const)('share no %s key', async (_what, rule, change) => {
    const items = ['a', 'b'].map(async (name) => byValue(proposals.add(await forgeKeyPackage(newKey(), name, 1, change))))
    expect(await ruleFor(await Promise.all(items))).toBe(rule)
  })

  it('share no signature key', async () => {
    const key = newKey()
    const items = await Promise.all(['a', 'b'].map(async (name) => byValue(proposals.add(await forgeKeyPackage(key, name)))))
    expect(await ruleFor(items)).toBe('leaf-node-signature-key')
  })

  it('are compared with the Welcomes before the tree is touched', async () => {
    const bundle = { welcomes: [welcomeMessage(forgeWelcome([new Uint8Array(32)]))] }
    const items = [byValue(proposals.add(keyPackage))]
    expect(await ruleFor(items, bundle, { nodes: 0 })).toBe('welcome-members')
    expect(await ruleFor(items, {}, { nodes: 0 })).toBe('update-path-length')
  })
})

describe('what a state weighs in memory', () => {
  it('is no less than the bytes of its members and of what waits in it', async () => {
    let { state } = forge
    const before = weightOf(state)
    expect(before).toBeGreaterThan(leafBytes(state))
    let waiting = 0
    for (let i = 0; i < 5; i++) {
      const bytes = await forge.proposal(proposals.add(await forgeKeyPackage(newKey(), 'x'.repeat(10_000))))
      state = addProposal(state, publicMessage(bytes))
      waiting += bytes.length
    }
    expect(weightOf(state) - before).toBeGreaterThan(waiting)
    const items = [...state.pending.values()].map(({ ref }) => byReference(ref))
    const later = forge.at(state)
    const verdict = await validateCommit(state, publicMessage(await later.commit(items, await later.path(items, 0))))
    expect(weightOf((verdict as ValidCommit).next)).toBeGreaterThan(leafBytes((verdict as ValidCommit).next))
  })
})

function leafBytes({ tree }: PublicGroupState): number {
  return tree.nodes().leaves.reduce((sum, leaf) => sum + (leaf?.bytes.length ?? 0), 0)
}
