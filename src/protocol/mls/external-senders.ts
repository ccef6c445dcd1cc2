import { decodeWhole, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { readCredential, writeCredential, type Credential } from './structures/credential.js'
import { EXTENSION_TYPES, type Extension } from './structures/extension.js'

const MAX_EXTERNAL_SENDERS = 256

/** RFC 9420 §12.1.8.1. */
export interface ExternalSender {
  readonly signatureKey: Uint8Array
  readonly credential: Credential
}

/** Decodes the data of an external_senders extension: `ExternalSender external_senders<V>`. */
export function decodeExternalSenders(extensionData: Uint8Array): Decoded<ExternalSender[]> {
  return decodeWhole(extensionData, (reader) => reader.vector(MAX_EXTERNAL_SENDERS, readExternalSender))
}

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
