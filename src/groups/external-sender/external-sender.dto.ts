import { z } from 'zod'
import { MlsBytes } from '../../platform/http/bytes.js'

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
