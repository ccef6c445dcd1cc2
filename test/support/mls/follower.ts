import { decodeMessage, type MlsMessage } from '../../../src/protocol/mls/message.js'
import type { GroupInfo } from '../../../src/protocol/mls/structures/group-info.js'
import type { PublicMessage } from '../../../src/protocol/mls/structures/public-message.js'
import { decodeRatchetTree, type TreeNodes } from '../../../src/protocol/mls/structures/ratchet-tree.js'
import type { Welcome } from '../../../src/protocol/mls/structures/welcome.js'
import { seed } from '../../../src/protocol/public-group/seed.js'
import type { PublicGroupState } from '../../../src/protocol/public-group/state.js'
import type { Decoded } from '../../../src/protocol/tls/reader.js'

/** The value of what must decode. */
export function decoded<T>(result: Decoded<T>): T {
  if (result.kind === 'malformed') throw new Error(result.reason)
  return result.value
}

export function publicMessage(bytes: Uint8Array): PublicMessage {
  return bodyOf(bytes, 'public-message')
}

export function groupInfoMessage(bytes: Uint8Array): GroupInfo {
  return bodyOf(bytes, 'group-info')
}

export function welcomeMessage(bytes: Uint8Array): Welcome {
  return bodyOf(bytes, 'welcome')
}

export function ratchetTree(bytes: Uint8Array): TreeNodes {
  return decoded(decodeRatchetTree(bytes))
}

export async function seeded(groupInfo: GroupInfo, tree: TreeNodes): Promise<PublicGroupState> {
  const result = await seed({ groupInfo, ratchetTree: tree })
  if (result.kind === 'refused') throw new Error(result.rule)
  return result.state
}

/** The rule that a verdict names, or 'valid'. */
export function outcome(verdict: { kind: 'valid' } | { kind: 'refused'; rule: string }): string {
  return verdict.kind === 'valid' ? 'valid' : verdict.rule
}

type Body<W extends MlsMessage['wireFormat']> = Extract<MlsMessage, { wireFormat: W }>['body']

function bodyOf<W extends MlsMessage['wireFormat']>(bytes: Uint8Array, wireFormat: W): Body<W> {
  const message: MlsMessage = decoded(decodeMessage(bytes))
  if (message.wireFormat !== wireFormat) throw new Error(`not a ${wireFormat}`)
  return message.body as unknown as Body<W>
}
