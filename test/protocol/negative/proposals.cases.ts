import { PendingProposals } from '../../../src/protocol/public-group/proposals/pending-proposals.js'
import { addProposal } from '../../../src/protocol/public-group/state.js'
import { validateProposal } from '../../../src/protocol/public-group/proposals/proposal.js'
import { publicMessage } from '../../support/mls/follower.js'
import { Forge, forgeKeyPackage, forgeLeaf, newKey } from '../../support/mls/forge.js'
import { byReference, byValue, proposals } from '../../support/mls/proposals.js'
import {
  appDataDictionary,
  group,
  judgeCommit,
  judgeExternal,
  judgeProposal,
  once,
  waiting,
  withAppData,
  type NegativeCase,
} from './forged-group-fixture.js'

const oneWithoutSelfRemove = once(() =>
  Forge.group(4, [], { leaf: (at) => (at === 3 ? { capabilities: { proposals: [0x0a0a, 0x1a1a] } } : {}) }),
)
const withDictionary = once(() => Forge.group(3, [appDataDictionary(7)], withAppData))
const withoutDictionary = once(() => Forge.group(3, [], withAppData))

/** RFC 9420 §12.1: proposals one by one. */
export const proposalCases: NegativeCase[] = [
  {
    rule: 'content-type',
    title: 'a Commit submitted as a Proposal',
    verdict: async () => {
      const forge = await group()
      return validateProposal(forge.state, publicMessage(await forge.commit([], await forge.path([], 0))))
    },
  },
  {
    rule: 'pending-proposals',
    title: 'a Proposal more than are kept',
    verdict: async () => {
      const forge = await group()
      const message = publicMessage(await forge.proposal(proposals.remove(1)))
      const [one] = addProposal(forge.state, message).pending.values()
      const pending = Array.from({ length: 4096 }).reduce<PendingProposals>(
        (all, _, at) => all.with(String(at), one!),
        PendingProposals.none,
      )
      return validateProposal({ ...forge.state, pending }, message)
    },
  },
  {
    rule: 'key-package-size',
    title: 'an Add of a KeyPackage that is too large to be published',
    verdict: async () => {
      const extensions = [{ type: 0x0a0a, data: new Uint8Array(17_000) }]
      return judgeCommit(await group(), [byValue(proposals.add(await forgeKeyPackage(newKey(), 'new', 1, { extensions })))])
    },
  },
  {
    rule: 'add-cipher-suite',
    title: 'an Add of a KeyPackage of another suite',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.add(await forgeKeyPackage(newKey(), 'new', 3)))]),
  },
  {
    rule: 'update-encryption-key',
    title: 'an Update that keeps the encryption key',
    verdict: async () => {
      const forge = await group()
      const place = { groupId: forge.state.groupContext.groupId, leafIndex: 2 }
      const encryptionKey = forge.state.tree.leaf(2)!.encryptionKey
      const leaf = await forgeLeaf(forge.key(2), 'm2', { kind: 'update' }, place, { encryptionKey })
      return judgeProposal(forge, proposals.update(leaf), 2)
    },
  },
  { rule: 'remove-member', title: 'a Remove of a blank leaf', verdict: async () => judgeProposal(await group(), proposals.remove(6)) },
  {
    rule: 'remove-member',
    title: 'a Remove of a leaf past the tree',
    verdict: async () => judgeProposal(await group(), proposals.remove(4_000_000_000)),
  },
  {
    rule: 'psk-nonce',
    title: 'a PSK whose nonce is a byte too short',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.externalPsk('a', 31))]),
  },
  ...[2, 3].map((usage): NegativeCase => ({
    rule: 'psk-usage',
    title: `a resumption PSK of usage ${usage} after the group’s first epoch`,
    verdict: async () => judgeCommit(await group(), [byValue(proposals.resumptionPsk(usage, 'old'))]),
  })),
  {
    rule: 'reinit-version',
    title: 'a ReInit to version 0',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.reInit('next', 0))], { path: null }),
  },
  {
    rule: 'external-init-by-value',
    title: 'an ExternalInit by itself',
    verdict: async () => judgeProposal(await group(), proposals.externalInit()),
  },
  {
    rule: 'external-init-kem-output',
    title: 'an ExternalInit whose kem_output is a byte too long',
    verdict: async () => judgeExternal(await group(), [byValue(proposals.externalInit(new Uint8Array(33).fill(9)))]),
  },
  {
    rule: 'external-init-kem-output',
    title: 'an ExternalInit whose kem_output is a point of small order',
    verdict: async () => judgeExternal(await group(), [byValue(proposals.externalInit(new Uint8Array(32)))]),
  },
  ...[2, 3].map((usage): NegativeCase => ({
    rule: 'psk-usage',
    title: `a resumption PSK of usage ${usage} in an external Commit, though it be the group’s first`,
    verdict: async () => {
      const list = [proposals.externalInit(), proposals.resumptionPsk(usage, 'old')]
      return judgeExternal(await Forge.group(2, [], { epoch: 0n }), list.map(byValue))
    },
  })),
  {
    rule: 'proposal-type-supported',
    title: 'a SelfRemove in a group one member of which does not list it, but GREASE',
    verdict: async () => judgeProposal(await oneWithoutSelfRemove(), proposals.selfRemove(), 1),
  },
  {
    rule: 'proposal-type-supported',
    title: 'a Commit of a SelfRemove that one who stays does not list',
    verdict: async () => {
      const { forge, ref } = await waiting(await oneWithoutSelfRemove(), proposals.selfRemove(), 1)
      return judgeCommit(forge, [byReference(ref)])
    },
  },
  {
    rule: 'app-data-update-component',
    title: 'an AppDataUpdate that leaves the new data to the component',
    verdict: async () => judgeProposal(await withDictionary(), proposals.appDataUpdate(7, Buffer.from('new'))),
  },
  {
    rule: 'app-data-update-component',
    title: 'an AppDataUpdate of room metadata that are none',
    verdict: async () => judgeProposal(await withDictionary(), proposals.appDataUpdate(0x23, Buffer.from([1, 0]))),
  },
  {
    rule: 'app-data-update-fits',
    title: 'an update of a participant list that removes who is not there',
    // changed: none; removed: 0 and 0; added: none
    verdict: async () =>
      judgeProposal(await withDictionary(), proposals.appDataUpdate(0x22, Buffer.from([0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]))),
  },
  {
    rule: 'app-data-update-fits',
    title: 'an update of room metadata in a group without application data',
    verdict: async () => judgeProposal(await withoutDictionary(), proposals.appDataUpdate(0x23, Buffer.from([0, 0, 0, 0, 0, 0]))),
  },
  {
    rule: 'app-data-update-absent',
    title: 'an AppDataUpdate that removes what is not there',
    verdict: async () => judgeProposal(await withDictionary(), proposals.appDataRemoval(8)),
  },
  {
    rule: 'app-data-update-absent',
    title: 'a removal of what new extensions in the same Commit have dropped already',
    verdict: async () => {
      const list = [proposals.groupContextExtensions([appDataDictionary(9)]), proposals.appDataRemoval(7)]
      return judgeCommit(await withDictionary(), list.map(byValue), { path: { leaf: withAppData.leaf() } })
    },
  },
]
