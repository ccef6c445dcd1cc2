import { beforeAll, describe, expect, it } from '@jest/globals'
import { encodeExternalRemoveProposal } from '../../src/protocol/mls/external-senders.js'
import { validateCommit, type ValidCommit } from '../../src/protocol/public-group/commit.js'
import { validateProposal } from '../../src/protocol/public-group/proposals/proposal.js'
import { PendingProposals } from '../../src/protocol/public-group/proposals/pending-proposals.js'
import { addProposal, members } from '../../src/protocol/public-group/state.js'
import { outcome, publicMessage } from '../support/mls/follower.js'
import { Forge, forgeKeyPackage, newKey, type Forgery } from '../support/mls/forge.js'
import { byReference, proposals } from '../support/mls/proposals.js'

let forge: Forge

beforeAll(async () => {
  forge = await Forge.group(6)
})

describe('a Proposal', () => {
  const removed = { epoch: 3n, senderIndex: 0, removedLeaf: 4 }

  async function proposed(bytes: Uint8Array): Promise<string> {
    return outcome(await validateProposal(forge.state, publicMessage(bytes)))
  }

  it('of the server as external sender is valid, and removes when it is committed', async () => {
    const { groupId } = forge.state.groupContext
    const message = publicMessage(await encodeExternalRemoveProposal({ groupId, ...removed }, forge.externalKey.privateKey))
    const verdict = await validateProposal(forge.state, message)
    expect(verdict).toMatchObject({ kind: 'valid', sender: { kind: 'external', senderIndex: 0 } })

    const later = forge.at(addProposal(forge.state, message))
    const items = [byReference((verdict as { ref: Uint8Array }).ref)]
    const commit = await validateCommit(later.state, publicMessage(await later.commit(items, await later.path(items, 0))))
    expect(members((commit as ValidCommit).next).map(({ identity }) => identity)).toEqual(['m0', 'm1', 'm2', 'm3', 'm5'])
  })

  it.each([
    ['under an index that the group does not list', { senderIndex: 1 }, 'external-sender'],
    ['for another epoch', { epoch: 2n }, 'epoch'],
    ['against a blank leaf', { removedLeaf: 6 }, 'remove-member'],
  ])('of the server is refused %s', async (_case, change, rule) => {
    const { groupId } = forge.state.groupContext
    expect(await proposed(await encodeExternalRemoveProposal({ groupId, ...removed, ...change }, forge.externalKey.privateKey))).toBe(rule)
  })

  it('of the server is refused under another key', async () => {
    const { groupId } = forge.state.groupContext
    expect(await proposed(await encodeExternalRemoveProposal({ groupId, ...removed }, newKey().privateKey))).toBe('signature')
  })

  it('of an external sender is refused for what only members may propose', async () => {
    const external: Forgery = { sender: { kind: 'external', senderIndex: 0 }, key: forge.externalKey }
    expect(await proposed(await forge.proposal(proposals.selfRemove(), 0, external))).toBe('sender-content')
    expect(await proposed(await forge.proposal(proposals.externalPsk('a'), 0, external))).toBe('valid')
  })

  it('of a new member adds that member, and nothing else', async () => {
    const key = newKey()
    const joining: Forgery = { sender: { kind: 'new-member-proposal' }, key }
    const addSelf = proposals.add(await forgeKeyPackage(key, 'new'))
    expect(await proposed(await forge.proposal(addSelf, 0, joining))).toBe('valid')
    expect(await proposed(await forge.proposal(addSelf, 0, { ...joining, key: newKey() }))).toBe('signature')
    expect(await proposed(await forge.proposal(proposals.remove(1), 0, joining))).toBe('sender-content')
    expect(await proposed(await forge.proposal(proposals.remove(1), 0, { ...joining, sender: { kind: 'new-member-commit' } }))).toBe(
      'sender-content',
    )
  })

  it('of ExternalInit is refused outside an external Commit', async () => {
    expect(await proposed(await forge.proposal(proposals.externalInit()))).toBe('external-init-by-value')
  })

  it('is refused while thousands of others wait', async () => {
    const message = publicMessage(await forge.proposal(proposals.remove(1)))
    const [waiting] = addProposal(forge.state, message).pending.values()
    const waitingOf = (count: number) =>
      Array.from({ length: count }).reduce<PendingProposals>((all, _, at) => all.with(String(at), waiting!), PendingProposals.none)
    const crowded = (count: number) => validateProposal({ ...forge.state, pending: waitingOf(count) }, message)
    expect([outcome(await crowded(4095)), outcome(await crowded(4096))]).toEqual(['valid', 'pending-proposals'])
  })

  it('is refused as a Commit', async () => {
    expect(await proposed(await forge.commit([], await forge.path([], 0)))).toBe('content-type')
  })
})
