import { expect, it } from '@jest/globals'
import { decodeMessage } from '../../src/protocol/mls/message.js'
import { EXTENSION_TYPES, extensionData } from '../../src/protocol/mls/structures/extension.js'
import type { PublicMessage } from '../../src/protocol/mls/structures/public-message.js'
import { decodeRatchetTree } from '../../src/protocol/mls/structures/ratchet-tree.js'
import { validateCommit } from '../../src/protocol/public-group/commit.js'
import { validateProposal } from '../../src/protocol/public-group/proposal.js'
import { seed } from '../../src/protocol/public-group/seed.js'
import { deserialize, serialize } from '../../src/protocol/public-group/snapshot.js'
import { addProposal, type PublicGroupState } from '../../src/protocol/public-group/state.js'
import { openWelcome } from '../support/mls/open-welcome.js'
import { describeVectors, fromHex } from '../support/vectors.js'

interface History {
  cipher_suite: number
  external_psks: { psk_id: string; psk: string }[]
  key_package: string
  init_priv: string
  welcome: string
  ratchet_tree: string | null
  epochs: { proposals: string[]; commit: string }[]
}

function handshake(hex: string): PublicMessage | undefined {
  const message = decodeMessage(fromHex(hex))
  if (message.kind === 'malformed') throw new Error(message.reason)
  return message.value.wireFormat === 'public-message' ? message.value.body : undefined
}

async function seedFrom(history: History): Promise<PublicGroupState> {
  const groupInfo = openWelcome({
    cipherSuite: history.cipher_suite,
    keyPackage: fromHex(history.key_package).subarray(4),
    initPrivateKey: fromHex(history.init_priv),
    welcome: fromHex(history.welcome),
    psks: history.external_psks.map(({ psk_id, psk }) => ({ id: fromHex(psk_id), psk: fromHex(psk) })),
  })
  const bytes = extensionData(groupInfo.extensions, EXTENSION_TYPES.ratchetTree) ?? fromHex(history.ratchet_tree ?? '')
  const ratchetTree = decodeRatchetTree(bytes)
  if (ratchetTree.kind === 'malformed') throw new Error(ratchetTree.reason)
  const seeded = await seed({ groupInfo, ratchetTree: ratchetTree.value })
  if (seeded.kind === 'refused') throw new Error(seeded.rule)
  return seeded.state
}

/**
 * Follows a history as a server does. Each Commit's signature covers the GroupContext before it, so that one with a wrong tree
 * hash or transcript hash would make the next signature fail; `epochs` counts what was followed.
 */
async function follow(history: History): Promise<{ state: PublicGroupState; epochs: number; refused: string[] }> {
  let state = await seedFrom(history)
  const refused: string[] = []
  let epochs = 0
  for (const { proposals, commit } of history.epochs) {
    for (const bytes of proposals) {
      const message = handshake(bytes) as PublicMessage
      const verdict = await validateProposal(state, message)
      if (verdict.kind === 'refused') refused.push(`proposal: ${verdict.rule}`)
      state = addProposal(state, message)
    }
    const verdict = await validateCommit(state, handshake(commit) as PublicMessage)
    if (verdict.kind === 'refused') return { state, epochs, refused: [...refused, `commit: ${verdict.rule}`] }
    state = verdict.next
    epochs++
  }
  return { state, epochs, refused }
}

for (const name of ['passive-client-handling-commit', 'passive-client-random', 'passive-client-welcome']) {
  describeVectors<History>(name, (histories) => {
    const cases = histories.map((history, index) => ({ index, suite: history.cipher_suite, epochs: history.epochs.length, history }))
    it.each(cases)('$index (suite $suite) is followed through $epochs epochs', async ({ history }) => {
      const { state, epochs, refused } = await follow(history)
      expect(refused).toEqual([])
      expect(epochs).toBe(history.epochs.length)

      const bytes = serialize(state)
      const restored = deserialize(bytes)
      expect(restored.kind === 'decoded' && Buffer.from(serialize(restored.value)).equals(bytes)).toBe(true)
    })
  })
}
