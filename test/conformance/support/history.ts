import { decodeMessage } from '../../../src/protocol/mls/message.js'
import { EXTENSION_TYPES, extensionData } from '../../../src/protocol/mls/structures/extension.js'
import type { GroupInfo } from '../../../src/protocol/mls/structures/group-info.js'
import type { PublicMessage } from '../../../src/protocol/mls/structures/public-message.js'
import { validateCommit } from '../../../src/protocol/public-group/commit.js'
import { validateProposal } from '../../../src/protocol/public-group/proposals/proposal.js'
import { addProposal, type PublicGroupState } from '../../../src/protocol/public-group/state.js'
import { ratchetTree, seeded } from '../../support/mls/follower.js'
import { openWelcome } from '../../support/mls/open-welcome.js'
import { fromHex } from '../../support/vectors.js'

/** One history of the passive-client vectors. */
export interface History {
  cipher_suite: number
  external_psks: { psk_id: string; psk: string }[]
  key_package: string
  init_priv: string
  welcome: string
  ratchet_tree: string | null
  epochs: { proposals: string[]; commit: string }[]
}

export const HISTORIES = ['passive-client-handling-commit', 'passive-client-random', 'passive-client-welcome'] as const

/** What the joiner finds in its Welcome, which the vector gives the keys to open. */
export function beginningOf(history: History): { groupInfo: GroupInfo; tree: Uint8Array } {
  const groupInfo = openWelcome({
    cipherSuite: history.cipher_suite,
    keyPackage: fromHex(history.key_package).subarray(4),
    initPrivateKey: fromHex(history.init_priv),
    welcome: fromHex(history.welcome),
    psks: history.external_psks.map(({ psk_id, psk }) => ({ id: fromHex(psk_id), psk: fromHex(psk) })),
  })
  const tree = extensionData(groupInfo.extensions, EXTENSION_TYPES.ratchetTree) ?? fromHex(history.ratchet_tree ?? '')
  return { groupInfo, tree }
}

export interface Followed {
  state: PublicGroupState
  epochs: number
  refused: string[]
}

/**
 * Follows a history as a server does. Each Commit's signature covers the GroupContext before it, so that one with a wrong tree
 * hash or transcript hash would make the next signature fail; `epochs` counts what was followed.
 */
export async function follow(history: History): Promise<Followed> {
  const { groupInfo, tree } = beginningOf(history)
  let state = await seeded(groupInfo, ratchetTree(tree))
  const refused: string[] = []
  let epochs = 0
  for (const { proposals, commit } of history.epochs) {
    for (const bytes of proposals) {
      const message = handshake(bytes)
      const verdict = await validateProposal(state, message)
      if (verdict.kind === 'refused') refused.push(`proposal: ${verdict.rule}`)
      state = addProposal(state, message)
    }
    const verdict = await validateCommit(state, handshake(commit))
    if (verdict.kind === 'refused') return { state, epochs, refused: [...refused, `commit: ${verdict.rule}`] }
    state = verdict.next
    epochs++
  }
  return { state, epochs, refused }
}

function handshake(hex: string): PublicMessage {
  const message = decodeMessage(fromHex(hex))
  if (message.kind === 'malformed') throw new Error(message.reason)
  if (message.value.wireFormat !== 'public-message') throw new Error('The vectors have public handshakes only')
  return message.value.body
}
