import { beforeAll, describe, expect, it } from '@jest/globals'
import { refuseSecondLeaf } from '../../src/groups/roster/roster.js'
import type { Proposal } from '../../src/protocol/mls/structures/proposal.js'
import { validateCommit } from '../../src/protocol/public-group/commit.js'
import { validateProposal } from '../../src/protocol/public-group/proposals/proposal.js'
import { addProposal, memberAt } from '../../src/protocol/public-group/state.js'
import { committableWith, removesPreferred } from '../../src/protocol/public-group/proposals/waiting-proposals.js'
import { outcome, publicMessage } from '../support/mls/follower.js'
import { Forge, forgeKeyPackage, forgeLeaf, newKey } from '../support/mls/forge.js'
import { newHpkeKey } from '../support/mls/forge-keys.js'
import { byReference, proposals } from '../support/mls/proposals.js'

let forge: Forge

beforeAll(async () => {
  forge = await Forge.group(3)
})

type Sent = readonly [proposal: Uint8Array, by: number]

/** The state in which these wait, and what the server says of one more. */
async function judge(before: readonly Sent[], [proposal, by]: Sent) {
  let { state } = forge
  for (const [bytes, sender] of before) state = addProposal(state, publicMessage(await forge.proposal(bytes, sender)))
  const message = publicMessage(await forge.proposal(proposal, by))
  const alone = await validateProposal(state, message)
  if (alone.kind === 'refused') return { rule: alone.rule, state, message }
  const verdict = committableWith(state, { proposal: alone.proposal, sender: alone.sender, byReference: true })
  return { rule: verdict.kind === 'broken' ? verdict.rule : 'committable', state, message }
}

/** What becomes of a Commit of everything that waits, by whichever member can make it. */
async function commitOfAll({ state }: { state: typeof forge.state }): Promise<string[]> {
  const later = forge.at(state)
  const waiting = state.pending.values().map((one) => ({ ...one, byReference: true }))
  const items = removesPreferred(waiting).map((sent) => byReference((sent as (typeof waiting)[number]).ref))
  return Promise.all(
    [0, 1, 2].map(async (by) => {
      try {
        const commit = publicMessage(await later.commit(items, await later.path(items, by), by))
        return outcome(await validateCommit(later.state, commit))
      } catch {
        return 'no path fits' // what is committed leaves no tree in which the committer has a place
      }
    }),
  )
}

const key = newKey()
const initKey = newHpkeKey()
const added = (name: string, who = newKey()) => forgeKeyPackage(who, name)
const update = (leafIndex: number) =>
  forgeLeaf(forge.key(leafIndex), `m${leafIndex}`, { kind: 'update' }, { groupId: forge.state.groupContext.groupId, leafIndex })

describe('a proposal that no Commit could carry with those that wait', () => {
  it.each<[string, string, () => Promise<[Sent[], Sent]>]>([
    ['a key that has a leaf already', 'leaf-node-signature-key', async () => [[], [proposals.add(await added('m9', forge.key(1))), 0]]],
    [
      'one signature key for two Adds',
      'leaf-node-signature-key',
      async () => [[[proposals.add(await added('x', key)), 0]], [proposals.add(await added('y', key)), 1]],
    ],
    [
      'one init key for two Adds',
      'add-init-key',
      async () => [
        [[proposals.add(await forgeKeyPackage(newKey(), 'x', undefined, { initKey })), 0]],
        [proposals.add(await forgeKeyPackage(newKey(), 'y', undefined, { initKey })), 1],
      ],
    ],
    [
      'a second Update of a leaf',
      'one-change-per-leaf',
      async () => [[[proposals.update(await update(1)), 1]], [proposals.update(await update(1)), 1]],
    ],
    [
      'an Update of a leaf that is to be removed',
      'one-change-per-leaf',
      async () => [[[proposals.remove(1), 0]], [proposals.update(await update(1)), 1]],
    ],
    ['a second Remove', 'one-change-per-leaf', async () => [[[proposals.remove(1), 0]], [proposals.remove(1), 2]]],
    ['a SelfRemove behind a Remove', 'one-change-per-leaf', async () => [[[proposals.remove(1), 0]], [proposals.selfRemove(), 1]]],
    [
      'the Remove of the only member who could commit the others',
      'remove-committer',
      async () => [
        [
          [proposals.remove(0), 1],
          [proposals.remove(1), 0],
        ],
        [proposals.remove(2), 0],
      ],
    ],
    [
      'a second list of extensions',
      'one-group-context-extensions',
      async () => [[[proposals.groupContextExtensions([]), 0]], [proposals.groupContextExtensions([]), 1]],
    ],
    ['a PSK twice', 'psk-repeated', async () => [[[proposals.externalPsk('a'), 0]], [proposals.externalPsk('a'), 1]]],
    ['a ReInit with others', 'reinit-alone', async () => [[[proposals.externalPsk('a'), 0]], [proposals.reInit('next'), 1]]],
    ['others with a ReInit', 'reinit-alone', async () => [[[proposals.reInit('next'), 0]], [proposals.externalPsk('a'), 1]]],
    [
      'an Add that does not support the extensions to come',
      'leaf-node-group-extensions',
      async () => [
        [[proposals.groupContextExtensions([{ type: 0xf000, data: new Uint8Array() }]), 0]],
        [proposals.add(await incapable()), 1],
      ],
    ],
  ])('is refused: %s', async (_title, rule, make) => {
    const [before, next] = await make()
    const judged = await judge(before, next)
    expect(judged.rule).toBe(rule)
    // The attack: were it to wait, no member could commit what waits.
    const stuck = addProposal(judged.state, judged.message)
    if (rule !== 'one-change-per-leaf') expect(await commitOfAll({ state: stuck })).not.toContain('valid')
    if (before.length > 0) expect(await commitOfAll(judged)).toContain('valid')
  })

  it.each<[string, () => Promise<[Sent[], Sent]>]>([
    ['Adds of two clients', async () => [[[proposals.add(await added('x')), 0]], [proposals.add(await added('y')), 1]]],
    ['a Remove of a leaf that has an Update waiting', async () => [[[proposals.update(await update(1)), 1]], [proposals.remove(1), 0]]],
    ['a SelfRemove behind the own Update', async () => [[[proposals.update(await update(1)), 1]], [proposals.selfRemove(), 1]]],
    [
      'an Add behind the Remove of the same key',
      async () => [[[proposals.remove(1), 0]], [proposals.add(await added('m1', forge.key(1))), 2]],
    ],
    ['an Update with an Add', async () => [[[proposals.add(await added('x')), 0]], [proposals.update(await update(1)), 1]]],
    ['a ReInit alone', async () => [[], [proposals.reInit('next'), 1]]],
    ['removals that leave one to commit', async () => [[[proposals.remove(1), 0]], [proposals.remove(2), 0]]],
  ])('is not: %s', async (_title, make) => {
    const judged = await judge(...(await make()))
    expect(judged.rule).toBe('committable')
    expect(await commitOfAll({ state: addProposal(judged.state, judged.message) })).toContain('valid')
  })
})

describe('a client that is in, or waits to be added', () => {
  const second = async (before: Sent[], name: string) => {
    const [add, by] = [proposals.add(await added(name)), 2] as const
    const { state, message } = await judge(before, [add, by])
    const { proposal } = message.content as { proposal: Extract<Proposal, { kind: 'add' }> }
    const together = committableWith(state, { proposal, sender: message.sender, byReference: true })
    if (together.kind === 'broken') throw new Error(together.rule)
    return () => refuseSecondLeaf(together.tree, [memberAt(-1, proposal.keyPackage.leafNode)])
  }

  it('is not added once more, under another key either', async () => {
    expect(await second([], 'm1')).toThrow('Nobody is added who has a leaf')
    expect(await second([[proposals.add(await added('x')), 0]], 'x')).toThrow('Nobody is added who has a leaf')
    expect(await second([[proposals.add(await added('x')), 0]], 'y')).not.toThrow()
    expect(await second([[proposals.remove(1), 0]], 'm1')).not.toThrow()
  })
})

/** A KeyPackage whose leaf lists no extensions. */
function incapable(): Promise<Uint8Array> {
  return forgeKeyPackage(newKey(), 'x', undefined, { leaf: { capabilities: { extensions: [] } } })
}
