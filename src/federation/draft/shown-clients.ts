import { memberOf } from '../../groups/roster/roster.js'
import type { MlsMessage } from '../../protocol/mls/message.js'
import { namedIdentity } from '../../protocol/mls/structures/credential.js'
import type { LeafNode } from '../../protocol/mls/structures/leaf-node.js'
import type { Proposal } from '../../protocol/mls/structures/proposal.js'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import type { VouchedClient } from './vouched-clients.js'

/** Who signs a handshake, and the clients whose keys it shows. */
export interface ShownClients {
  /** The client URI of the sender. */
  readonly sender: string
  readonly clients: readonly VouchedClient[]
}

/**
 * The draft does not say who sends an update: the handshake does.
 * @param state the group at the epoch of the message
 * @returns undefined for a message that shows no sender who is a client: a PrivateMessage, or one of an external sender
 */
export function clientsIn({ wireFormat, body }: MlsMessage, state: PublicGroupState): ShownClients | undefined {
  if (wireFormat !== 'public-message') return undefined
  const { sender, content } = body
  const proposals: readonly Proposal[] =
    content.kind === 'proposal' ? [content.proposal] : content.proposals.flatMap((one) => (one.kind === 'proposal' ? [one.proposal] : []))
  const leaves = [...proposals.flatMap(leafIn), ...(content.kind === 'commit' && content.path ? [content.path.leafNode] : [])]
  const shown = leaves.flatMap(clientOf)
  if (sender.kind === 'member') {
    const member = memberOf(state, sender.leafIndex)
    if (member?.identity === undefined) return undefined
    return { sender: member.identity, clients: [{ client: member.identity, publicKey: member.signatureKey }, ...shown] }
  }
  // Who joins from outside has the last leaf: that of the path, or of the KeyPackage to be added.
  const joiner = sender.kind === 'external' ? undefined : shown.at(-1)
  return joiner && { sender: joiner.client, clients: shown }
}

function leafIn(proposal: Proposal): LeafNode[] {
  if (proposal.kind === 'add') return [proposal.keyPackage.leafNode]
  return proposal.kind === 'update' ? [proposal.leafNode] : []
}

function clientOf({ credential, signatureKey }: LeafNode): VouchedClient[] {
  const client = namedIdentity(credential)
  return client === undefined ? [] : [{ client, publicKey: signatureKey }]
}
