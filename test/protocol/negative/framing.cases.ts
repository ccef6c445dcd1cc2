import { validateCommit } from '../../../src/protocol/public-group/commit.js'
import { publicMessage } from '../../support/mls/follower.js'
import { Forge, newKey } from '../../support/mls/forge.js'
import { proposals } from '../../support/mls/proposals.js'
import { group, judgeCommit, judgeProposal, once, type NegativeCase } from './forged-group-fixture.js'

const lastEpoch = once(() => Forge.group(2, [], { epoch: 2n ** 64n - 1n }))

/** RFC 9420 §6. */
export const framingCases: NegativeCase[] = [
  {
    rule: 'content-type',
    title: 'a Proposal submitted as a Commit',
    verdict: async () => {
      const forge = await group()
      return validateCommit(forge.state, publicMessage(await forge.proposal(proposals.remove(1))))
    },
  },
  {
    rule: 'group-id',
    title: 'of another group',
    verdict: async () => judgeCommit(await group(), [], { forgery: { groupId: Buffer.from('other') } }),
  },
  { rule: 'epoch', title: 'of the epoch before', verdict: async () => judgeCommit(await group(), [], { forgery: { epoch: 3n } }) },
  { rule: 'epoch', title: 'of the epoch after', verdict: async () => judgeCommit(await group(), [], { forgery: { epoch: 5n } }) },
  { rule: 'epoch-exhausted', title: 'a Commit of the last epoch there is', verdict: async () => judgeCommit(await lastEpoch(), []) },
  {
    rule: 'sender-is-member',
    title: 'from a blank leaf',
    verdict: async () => judgeProposal(await group(), proposals.remove(1), 0, { sender: { kind: 'member', leafIndex: 7 } }),
  },
  {
    rule: 'sender-content',
    title: 'a Commit of an external sender',
    verdict: async () => {
      const forge = await group()
      return judgeCommit(forge, [], { forgery: { sender: { kind: 'external', senderIndex: 0 }, key: forge.externalKey } })
    },
  },
  {
    rule: 'sender-content',
    title: 'a SelfRemove of an external sender',
    verdict: async () => {
      const forge = await group()
      return judgeProposal(forge, proposals.selfRemove(), 0, { sender: { kind: 'external', senderIndex: 0 }, key: forge.externalKey })
    },
  },
  {
    rule: 'sender-content',
    title: 'a Remove of somebody who wants to be added',
    verdict: async () => judgeProposal(await group(), proposals.remove(1), 0, { sender: { kind: 'new-member-proposal' }, key: newKey() }),
  },
  {
    rule: 'sender-content',
    title: 'a Proposal of a joiner by external Commit',
    verdict: async () => judgeProposal(await group(), proposals.remove(1), 0, { sender: { kind: 'new-member-commit' }, key: newKey() }),
  },
  {
    rule: 'external-sender',
    title: 'a Proposal of an external sender that the group does not list',
    verdict: async () => {
      const forge = await group()
      return judgeProposal(forge, proposals.remove(1), 0, { sender: { kind: 'external', senderIndex: 1 }, key: forge.externalKey })
    },
  },
  {
    rule: 'membership-tag',
    title: 'a membership tag of 31 bytes',
    verdict: async () => judgeCommit(await group(), [], { forgery: { membershipTag: new Uint8Array(31) } }),
  },
  {
    rule: 'membership-tag',
    title: 'no membership tag',
    verdict: async () => judgeProposal(await group(), proposals.remove(1), 0, { membershipTag: new Uint8Array() }),
  },
  {
    rule: 'confirmation-tag',
    title: 'a confirmation tag of 33 bytes',
    verdict: async () => judgeCommit(await group(), [], { forgery: { confirmationTag: new Uint8Array(33) } }),
  },
  {
    rule: 'signature',
    title: 'signed by another key',
    verdict: async () => judgeCommit(await group(), [], { forgery: { key: newKey() } }),
  },
  {
    rule: 'signature',
    title: 'signed by another member',
    verdict: async () => judgeProposal(await group(), proposals.remove(1), 2, { sender: { kind: 'member', leafIndex: 3 } }),
  },
]
