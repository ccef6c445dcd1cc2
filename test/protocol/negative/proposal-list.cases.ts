import { MAX_ADDS } from '../../../src/protocol/public-group/proposals/proposal-list.js'
import { Forge, forgeKeyPackage, forgeLeaf, newKey } from '../../support/mls/forge.js'
import { newHpkeKey } from '../../support/mls/forge-keys.js'
import { byReference, byValue, proposals } from '../../support/mls/proposals.js'
import {
  appDataDictionary,
  group,
  judgeCommit,
  judgeExternal,
  once,
  requiredCapabilities,
  waiting,
  withAppData,
  type NegativeCase,
} from './forged-group-fixture.js'

const firstEpoch = once(() => Forge.group(2, [], { epoch: 0n }))
const withDictionary = once(() => Forge.group(3, [requiredCapabilities({ proposals: [8] }), appDataDictionary(7, 9)], withAppData))

async function adds(count: number): Promise<Uint8Array[]> {
  const keyPackages = await Promise.all(Array.from({ length: count }, (_, at) => forgeKeyPackage(newKey(), `n${at}`)))
  return keyPackages.map((keyPackage) => byValue(proposals.add(keyPackage)))
}

/** RFC 9420 §12.2: what a Commit’s proposals are together. */
export const proposalListCases: NegativeCase[] = [
  {
    rule: 'proposal-reference',
    title: 'a reference to nothing',
    verdict: async () => judgeCommit(await group(), [byReference(new Uint8Array(32))]),
  },
  {
    rule: 'proposal-reference-repeated',
    title: 'one reference twice',
    verdict: async () => {
      const { forge, ref } = await waiting(await withDictionary(), proposals.appEphemeral(1), 1)
      return judgeCommit(forge, [byReference(ref), byReference(ref)], { path: null })
    },
  },
  {
    rule: 'too-many-adds',
    title: 'an Add too many',
    verdict: async () => judgeCommit(await group(), await adds(MAX_ADDS + 1), { path: null }),
  },
  {
    rule: 'one-change-per-leaf',
    title: 'two Removes of one leaf',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.remove(1)), byValue(proposals.remove(1))]),
  },
  {
    rule: 'one-change-per-leaf',
    title: 'a SelfRemove and a Remove of one leaf',
    verdict: async () => {
      const { forge, ref } = await waiting(await group(), proposals.selfRemove(), 1)
      return judgeCommit(forge, [byReference(ref), byValue(proposals.remove(1))])
    },
  },
  {
    rule: 'add-init-key',
    title: 'two KeyPackages with one init key',
    verdict: async () => {
      const change = { initKey: newHpkeKey() }
      const keyPackages = await Promise.all(['a', 'b'].map((name) => forgeKeyPackage(newKey(), name, 1, change)))
      return judgeCommit(
        await group(),
        keyPackages.map((bytes) => byValue(proposals.add(bytes))),
      )
    },
  },
  {
    rule: 'psk-repeated',
    title: 'one PSK twice',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.externalPsk('a')), byValue(proposals.externalPsk('a'))]),
  },
  {
    rule: 'psk-usage-once',
    title: 'two PSKs of groups that this one comes of',
    verdict: async () =>
      judgeCommit(await firstEpoch(), [byValue(proposals.resumptionPsk(2, 'a')), byValue(proposals.resumptionPsk(3, 'b'))]),
  },
  {
    rule: 'app-data-update-repeated',
    title: 'two removals of one component’s data',
    verdict: async () =>
      judgeCommit(await withDictionary(), [byValue(proposals.appDataRemoval(7)), byValue(proposals.appDataRemoval(7))], { path: null }),
  },
  {
    rule: 'app-data-update-repeated',
    title: 'two updates of one room’s metadata',
    verdict: async () => {
      const update = byValue(proposals.appDataUpdate(0x23, Buffer.from([0, 0, 0, 0, 0, 0])))
      return judgeCommit(await withDictionary(), [update, update], { path: null })
    },
  },
  {
    rule: 'app-data-dictionary-kept',
    title: 'new extensions without the dictionary',
    verdict: async () => {
      const extensions = [requiredCapabilities({ proposals: [8] })]
      const path = { leaf: withAppData.leaf() }
      return judgeCommit(await withDictionary(), [byValue(proposals.groupContextExtensions(extensions))], { path })
    },
  },
  {
    rule: 'app-data-dictionary-kept',
    title: 'new extensions that change the dictionary past AppDataUpdate',
    verdict: async () => {
      const extensions = [requiredCapabilities({ proposals: [8] }), appDataDictionary(7)]
      return judgeCommit(await withDictionary(), [byValue(proposals.groupContextExtensions(extensions))], {
        path: { leaf: withAppData.leaf() },
      })
    },
  },
  { rule: 'path-required', title: 'no proposal and no path', verdict: async () => judgeCommit(await group(), [], { path: null }) },
  {
    rule: 'path-required',
    title: 'a Remove without a path',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.remove(1))], { path: null }),
  },
  {
    rule: 'path-required',
    title: 'a SelfRemove without a path',
    verdict: async () => {
      const { forge, ref } = await waiting(await group(), proposals.selfRemove(), 1)
      return judgeCommit(forge, [byReference(ref)], { path: null })
    },
  },
  {
    rule: 'path-required',
    title: 'an Update without a path',
    verdict: async () => {
      const before = await group()
      const place = { groupId: before.state.groupContext.groupId, leafIndex: 2 }
      const leaf = await forgeLeaf(before.key(2), 'm2', { kind: 'update' }, place)
      const { forge, ref } = await waiting(before, proposals.update(leaf), 2)
      return judgeCommit(forge, [byReference(ref)], { path: null })
    },
  },
  {
    rule: 'path-required',
    title: 'new extensions without a path',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.groupContextExtensions([]))], { path: null }),
  },
  {
    rule: 'self-remove-by-reference',
    title: 'a SelfRemove by value',
    verdict: async () => judgeExternal(await group(), [byValue(proposals.externalInit()), byValue(proposals.selfRemove())]),
  },
  {
    rule: 'external-init-of-member',
    title: 'an ExternalInit in a member’s Commit',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.externalInit())]),
  },
  {
    rule: 'update-by-committer',
    title: 'the committer’s own Update',
    verdict: async () => {
      const before = await group()
      const place = { groupId: before.state.groupContext.groupId, leafIndex: 2 }
      const leaf = await forgeLeaf(before.key(2), 'm2', { kind: 'update' }, place)
      const { forge, ref } = await waiting(before, proposals.update(leaf), 2)
      return judgeCommit(forge, [byReference(ref)], { by: 2 })
    },
  },
  {
    rule: 'remove-committer',
    title: 'a Remove of the committer',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.remove(0))]),
  },
  {
    rule: 'remove-committer',
    title: 'the committer’s own SelfRemove',
    verdict: async () => {
      const { forge, ref } = await waiting(await group(), proposals.selfRemove(), 1)
      return judgeCommit(forge, [byReference(ref)], { by: 1 })
    },
  },
  {
    rule: 'one-group-context-extensions',
    title: 'two lists of extensions',
    verdict: async () =>
      judgeCommit(
        await group(),
        [[], []].map((none) => byValue(proposals.groupContextExtensions(none))),
      ),
  },
  {
    rule: 'reinit-alone',
    title: 'a ReInit and another proposal',
    verdict: async () =>
      judgeCommit(await group(), [byValue(proposals.reInit('next')), byValue(proposals.externalPsk('a'))], { path: null }),
  },
]
