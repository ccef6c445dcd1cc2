import { Forge, forgeLeaf } from '../../support/mls/forge.js'
import { byReference, byValue, proposals } from '../../support/mls/proposals.js'
import {
  appDataDictionary,
  group,
  judgeCommit,
  once,
  requiredCapabilities,
  waiting,
  withAppData,
  type NegativeCase,
} from './forged-group-fixture.js'

const required = requiredCapabilities({ proposals: [8] })
const path = { leaf: withAppData.leaf() }
const dictionaryKept = once(() => Forge.group(3, [required, appDataDictionary(7)], withAppData))
const noDictionary = once(() => Forge.group(3, [required], withAppData))
/** All know AppEphemeral, and all but the last SelfRemove. */
const oneWithoutSelfRemove = once(() =>
  Forge.group(4, [], { leaf: (at) => ({ capabilities: { proposals: at === 3 ? [9] : [9, 0x000a] } }) }),
)

const psk = byValue(proposals.externalPsk('a'))

/** RFC 9420 §12.2: a rule for one proposal of a list holds whatever else is in it. */
export const mixedListCases: NegativeCase[] = [
  {
    rule: 'path-required',
    title: 'a Remove and a PSK without a path',
    verdict: async () => judgeCommit(await group(), [byValue(proposals.remove(1)), psk], { path: null }),
  },
  {
    rule: 'proposal-type-supported',
    title: 'a SelfRemove that one who stays does not list, and another type that all list',
    verdict: async () => {
      const { forge, ref } = await waiting(await oneWithoutSelfRemove(), proposals.selfRemove(), 1)
      return judgeCommit(forge, [byValue(proposals.appEphemeral(1)), byReference(ref)])
    },
  },
  {
    rule: 'proposal-type-supported',
    title: 'a SelfRemove, and an Update of the one who does not list it',
    verdict: async () => {
      const leaving = await waiting(await oneWithoutSelfRemove(), proposals.selfRemove(), 1)
      const place = { groupId: leaving.forge.state.groupContext.groupId, leafIndex: 3 }
      const leaf = await forgeLeaf(leaving.forge.key(3), 'm3', { kind: 'update' }, place)
      const { forge, ref } = await waiting(leaving.forge, proposals.update(leaf), 3)
      return judgeCommit(forge, [byReference(leaving.ref), byReference(ref)])
    },
  },
  {
    rule: 'required-capabilities-members',
    title: 'new requirements that a member does not meet, and a PSK',
    verdict: async () => {
      const forge = await Forge.group(3, [], { leaf: (at) => (at === 2 ? { capabilities: { extensions: [] } } : {}) })
      const extensions = [requiredCapabilities({ extensions: [0xf000] })]
      return judgeCommit(forge, [psk, byValue(proposals.groupContextExtensions(extensions))])
    },
  },
  {
    rule: 'app-data-dictionary-kept',
    title: 'new extensions without the dictionary, and a PSK',
    verdict: async () => judgeCommit(await dictionaryKept(), [psk, byValue(proposals.groupContextExtensions([required]))], { path }),
  },
  {
    rule: 'app-data-dictionary-kept',
    title: 'new extensions with a dictionary where there was none',
    verdict: async () =>
      judgeCommit(await noDictionary(), [byValue(proposals.groupContextExtensions([required, appDataDictionary(7)]))], { path }),
  },
]
