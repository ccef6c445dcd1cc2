import { forgeKeyPackage, newKey } from '../../support/mls/forge.js'
import { byReference, byValue, proposals } from '../../support/mls/proposals.js'
import { group, judgeExternal, waiting, type NegativeCase } from './forged-group-fixture.js'

const init = byValue(proposals.externalInit())

/** RFC 9420 §12.2, §12.4.3.2. */
export const externalCommitCases: NegativeCase[] = [
  { rule: 'external-commit-path', title: 'no path', verdict: async () => judgeExternal(await group(), [init], null) },
  {
    rule: 'external-commit-proposals',
    title: 'new extensions',
    verdict: async () => judgeExternal(await group(), [init, byValue(proposals.groupContextExtensions([]))]),
  },
  {
    rule: 'external-commit-proposals',
    title: 'an Add',
    verdict: async () => judgeExternal(await group(), [init, byValue(proposals.add(await forgeKeyPackage(newKey(), 'another')))]),
  },
  {
    rule: 'external-commit-proposals',
    title: 'a ReInit',
    verdict: async () => judgeExternal(await group(), [init, byValue(proposals.reInit('next'))]),
  },
  {
    rule: 'external-commit-by-value',
    title: 'a member’s Remove by reference',
    verdict: async () => {
      const { forge, ref } = await waiting(await group(), proposals.remove(2), 1)
      return judgeExternal(forge, [init, byReference(ref)])
    },
  },
  {
    rule: 'external-commit-one-init',
    title: 'no ExternalInit',
    verdict: async () => judgeExternal(await group(), [byValue(proposals.externalPsk('a'))]),
  },
  { rule: 'external-commit-one-init', title: 'two ExternalInits', verdict: async () => judgeExternal(await group(), [init, init]) },
  {
    rule: 'external-commit-one-remove',
    title: 'two Removes',
    verdict: async () => judgeExternal(await group(), [init, byValue(proposals.remove(1)), byValue(proposals.remove(2))]),
  },
  {
    rule: 'external-commit-leaf-key',
    title: 'the encryption key of the former leaf',
    verdict: async () => {
      const forge = await group()
      const { encryptionKey } = forge.state.tree.leaf(2)!
      return judgeExternal(forge, [init, byValue(proposals.remove(2))], { leaf: { encryptionKey } }, forge.key(2))
    },
  },
]
