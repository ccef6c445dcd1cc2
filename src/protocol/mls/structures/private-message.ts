import { Malformed, type TlsReader } from '../../tls/reader.js'

/** RFC 9420 §6.3: all that a server can see of an encrypted message. */
export interface PrivateMessage {
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly contentType: 'application' | 'proposal' | 'commit'
  readonly authenticatedData: Uint8Array
  readonly encryptedSenderData: Uint8Array
  readonly ciphertext: Uint8Array
}

const CONTENT_TYPES = [undefined, 'application', 'proposal', 'commit'] as const

/** PrivateMessage of RFC 9420 §6.3, after the header of its MLSMessage. @throws Malformed for an unknown content type, too */
export function readPrivateMessage(reader: TlsReader): PrivateMessage {
  return {
    groupId: reader.opaque(),
    epoch: reader.uint64(),
    contentType: readContentType(reader),
    authenticatedData: reader.opaque(),
    encryptedSenderData: reader.opaque(),
    ciphertext: reader.opaque(),
  }
}

function readContentType(reader: TlsReader): PrivateMessage['contentType'] {
  const type = reader.uint8()
  const name = CONTENT_TYPES[type]
  if (name === undefined) throw new Malformed(`content type ${type} is unknown`)
  return name
}
