import { z } from 'zod'
import { MlsBytes } from '../../platform/http/bytes.js'
import { SCHEME_OF_SUITE } from '../../protocol/mls/signature.js'
import { writeCredential } from '../../protocol/mls/structures/credential.js'
import { TlsWriter } from '../../protocol/tls/writer.js'

/** One key of this server's, ready for the external_senders extension of a group (RFC 9420 §12.1.8.1). */
export const ExternalSenderKey = z
  .object({
    scheme: z.int().meta({ description: 'TLS SignatureScheme' }),
    cipher_suites: z.array(z.int()).meta({ description: 'MLS cipher suites that sign with it' }),
    signature_key: MlsBytes(256),
    identity: z.string().meta({ description: 'Identity in its basic credential' }),
    external_sender: MlsBytes(1024).meta({ description: 'The ExternalSender struct, encoded' }),
  })
  .meta({ id: 'ExternalSenderKey' })
export type ExternalSenderKey = z.infer<typeof ExternalSenderKey>

export const ExternalSenderKeys = z.object({ external_senders: z.array(ExternalSenderKey) }).meta({ id: 'ExternalSenderKeys' })

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
