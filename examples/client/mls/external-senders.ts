import type { CiphersuiteImpl, ClientState, Extension, PublicMessage } from 'ts-mls'
import { processProposal } from 'ts-mls/clientState.js'
import { decodeExternalSender, encodeExternalSender, type ExternalSender } from 'ts-mls/externalSender.js'
import { unprotectPublicMessage } from 'ts-mls/messageProtectionPublic.js'
import { vector } from './tls.js'

/**
 * The external_senders extension (RFC 9420 §12.1.8.1). A group that lists the server's key lets it propose the removal of a
 * device that leaves or was revoked. The extension holds a *vector* of senders; ts-mls 1.6.4 reads one bare struct, so this
 * client encodes the vector and handles such proposals itself.
 */
export function externalSenders(senders: readonly ExternalSender[]): Extension {
  const structs = senders.map((sender) => encodeExternalSender(sender))
  return { extensionType: 'external_senders', extensionData: vector(new Uint8Array(Buffer.concat(structs))) }
}

function decodeSenders(extension: Extension): ExternalSender[] {
  const data = extension.extensionData
  const header = (data[0] ?? 0) < 0x40 ? 1 : 2
  const senders: ExternalSender[] = []
  for (let offset = header; offset < data.length;) {
    const decoded = decodeExternalSender(data, offset)
    if (!decoded) throw new Error('The external_senders extension does not decode')
    senders.push(decoded[0])
    offset += decoded[1]
  }
  return senders
}

/** Adds a Proposal of an external sender to the pending ones, once its signature is checked against the group's list. */
export async function acceptExternalProposal(state: ClientState, message: PublicMessage, impl: CiphersuiteImpl): Promise<ClientState> {
  const { sender } = message.content
  const extension = state.groupContext.extensions.find((candidate) => candidate.extensionType === 'external_senders')
  if (sender.senderType !== 'external' || !extension) throw new Error('This group has no external senders')
  const key = decodeSenders(extension)[sender.senderIndex]?.signaturePublicKey
  if (!key) throw new Error(`No external sender ${sender.senderIndex}`)
  const { membershipKey } = state.keySchedule
  const checked = await unprotectPublicMessage(membershipKey, state.groupContext, state.ratchetTree, message, impl, key)
  if (checked.content.contentType !== 'proposal') throw new Error('An external sender may only propose')
  return processProposal(state, checked, checked.content.proposal, impl.hash)
}
