import type { KeyObject } from 'node:crypto'
import { decodeWhole, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { signWithLabel } from './signature.js'
import { readCredential, writeCredential, type Credential } from './structures/credential.js'
import { EXTENSION_TYPES, type Extension } from './structures/extension.js'
import { MLS10 } from './structures/group-info.js'
import { PROPOSAL_TYPES } from './structures/proposal.js'

const MAX_EXTERNAL_SENDERS = 256

/** Values in the headers of a PublicMessage (RFC 9420 §6, §6.1). */
const WIRE_FORMAT_PUBLIC_MESSAGE = 1
const SENDER_TYPE_EXTERNAL = 2
const CONTENT_TYPE_PROPOSAL = 2

/** RFC 9420 §12.1.8.1; `signatureKey` is a SignaturePublicKey of §5.1.1, of the group's signature scheme. */
export interface ExternalSender {
  readonly signatureKey: Uint8Array
  readonly credential: Credential
}

/** Decodes `ExternalSender external_senders<V>` (RFC 9420 §12.1.8.1), of at most 256: the data of the extension. Never throws. */
export function decodeExternalSenders(extensionData: Uint8Array): Decoded<ExternalSender[]> {
  return decodeWhole(extensionData, (reader) => reader.vector(MAX_EXTERNAL_SENDERS, readExternalSender))
}

/** The data of an external_senders extension for these senders: `ExternalSender external_senders<V>` (RFC 9420 §12.1.8.1). */
export function encodeExternalSenders(senders: readonly ExternalSender[]): Uint8Array {
  const writer = new TlsWriter()
  writer.vector(senders, (item, sender) => writeCredential(item.opaque(sender.signatureKey), sender.credential))
  return writer.written()
}

/** The GroupContext extension by which a group allows these senders to propose. */
export function externalSendersExtension(senders: readonly ExternalSender[]): Extension {
  return { type: EXTENSION_TYPES.externalSenders, data: encodeExternalSenders(senders) }
}

function readExternalSender(reader: TlsReader): ExternalSender {
  return { signatureKey: reader.opaque(), credential: readCredential(reader) }
}

/** What a Remove by an external sender says (RFC 9420 §12.1.3, §12.1.8). */
export interface ExternalRemove {
  readonly groupId: Uint8Array
  /** The epoch the proposal is for, the only one in which it counts. */
  readonly epoch: bigint
  /** The place of the signer's key in the group's external_senders extension. */
  readonly senderIndex: number
  /** The leaf to remove. */
  readonly removedLeaf: number
}

/**
 * A Remove proposed by an external sender (RFC 9420 §12.1.8), as a signed MLSMessage. An external sender's signature covers no
 * GroupContext (§6.1), and its PublicMessage has no membership tag (§6.2): group id and epoch are all it takes.
 * @throws TypeError for a key that no MLS signature scheme has
 */
export async function encodeExternalRemoveProposal(remove: ExternalRemove, privateKey: KeyObject): Promise<Uint8Array> {
  const tbs = new TlsWriter()
    .uint16(MLS10)
    .uint16(WIRE_FORMAT_PUBLIC_MESSAGE)
    .opaque(remove.groupId)
    .uint64(remove.epoch)
    .uint8(SENDER_TYPE_EXTERNAL)
    .uint32(remove.senderIndex)
    .opaque(new Uint8Array()) // authenticated_data
    .uint8(CONTENT_TYPE_PROPOSAL)
    .uint16(PROPOSAL_TYPES.remove)
    .uint32(remove.removedLeaf)
    .written()
  const signature = await signWithLabel(privateKey, 'FramedContentTBS', tbs)
  return new TlsWriter().raw(tbs).opaque(signature).written()
}
