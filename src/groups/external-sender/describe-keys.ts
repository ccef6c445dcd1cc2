import { SCHEME_OF_SUITE } from '../../protocol/mls/signature.js'
import { writeCredential } from '../../protocol/mls/structures/credential.js'
import { TlsWriter } from '../../protocol/tls/writer.js'
import type { ExternalSenderKey } from './external-sender.dto.js'

/** The server's external sender keys as clients need them, the ExternalSender structs (RFC 9420 §12.1.8.1) included. */
export function describeKeys(identity: string, keys: ReadonlyMap<number, { publicKey: Uint8Array }>): ExternalSenderKey[] {
  return [...keys].map(([scheme, { publicKey }]) => ({
    scheme,
    cipher_suites: [...SCHEME_OF_SUITE].filter(([, of]) => of === scheme).map(([suite]) => suite),
    signature_key: publicKey,
    identity,
    external_sender: externalSender(identity, publicKey),
  }))
}

function externalSender(identity: string, publicKey: Uint8Array): Uint8Array {
  const writer = new TlsWriter().opaque(publicKey)
  writeCredential(writer, { kind: 'basic', identity: Buffer.from(identity) })
  return writer.written()
}
