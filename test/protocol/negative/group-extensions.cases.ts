import type { Extension } from '../../../src/protocol/mls/structures/extension.js'
import type { LeafChanges } from '../../support/mls/forge-leaf.js'
import { byValue, proposals } from '../../support/mls/proposals.js'
import { group, judgeCommit, judgeProposal, requiredCapabilities, type NegativeCase, type Verdict } from './forged-group-fixture.js'

async function replacedBy(extensions: Extension[], leaf: LeafChanges = {}): Promise<Verdict> {
  return judgeCommit(await group(), [byValue(proposals.groupContextExtensions(extensions))], { path: { leaf } })
}

/** RFC 9420 §12.1.7, §13.4. */
export const groupExtensionsCases: NegativeCase[] = [
  ...[1, 2, 4].map((type): NegativeCase => ({
    rule: 'group-context-extension-place',
    title: `an extension of type ${type}, which is not the group’s`,
    verdict: () => replacedBy([{ type, data: new Uint8Array(1) }]),
  })),
  {
    rule: 'required-capabilities',
    title: 'of two lists instead of three',
    verdict: () => replacedBy([{ type: 3, data: new Uint8Array(2) }]),
  },
  {
    rule: 'external-senders',
    title: 'one sender that is no list',
    verdict: async () => {
      const [senders] = (await group()).state.groupContext.extensions
      return judgeProposal(await group(), proposals.groupContextExtensions([{ type: 5, data: senders!.data.subarray(1) }]))
    },
  },
  {
    rule: 'app-data-dictionary',
    title: 'a component behind one of a higher number',
    verdict: async () =>
      judgeProposal(
        await group(),
        proposals.groupContextExtensions([{ type: 6, data: Buffer.from('060009000007000'.padEnd(14, '0'), 'hex') }]),
      ),
  },
  {
    rule: 'group-extensions-members',
    title: 'an extension that only the committer lists',
    verdict: () => replacedBy([{ type: 0xf00f, data: new Uint8Array() }], { capabilities: { extensions: [0xf000, 0xf00f] } }),
  },
  {
    rule: 'required-capabilities-members',
    title: 'a requirement that only the committer meets',
    verdict: () => replacedBy([requiredCapabilities({ proposals: [0xf0f0] })], { capabilities: { proposals: [0x000a, 0xf0f0] } }),
  },
  {
    rule: 'required-capabilities-members',
    title: 'a required credential type that only the committer lists',
    verdict: () => replacedBy([requiredCapabilities({ credentials: [0xf001] })], { capabilities: { credentials: [1, 0xf001] } }),
  },
]
