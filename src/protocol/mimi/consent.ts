import { readKeyPackage } from '../mls/structures/key-package.js'
import { decodeWhole, type Decoded } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { bytesOf, readEnum, readRoomUri, readUri, writeEnum, writeText } from './common.js'

const OPERATIONS = ['cancel', 'request', 'grant', 'revoke'] as const
const MAX_KEY_PACKAGES = 100

export interface ConsentEntry {
  readonly operation: (typeof OPERATIONS)[number]
  readonly requester: string
  readonly target: string
  /** Consent for one room only. */
  readonly roomId: string | undefined
  /** KeyPackages of a grant, without a frame. */
  readonly keyPackages: readonly Uint8Array[]
}

/** `ConsentEntry`, the body of requestConsent and updateConsent; KeyPackages go only with a grant. */
export function encodeConsentEntry({ operation, requester, target, roomId, keyPackages }: ConsentEntry): Uint8Array {
  const writer = writeText(writeText(writeEnum(new TlsWriter(), OPERATIONS, operation), requester), target)
  writer.optional(roomId, writeText)
  if (operation === 'grant') writer.vector(keyPackages, (item, keyPackage) => item.raw(keyPackage))
  return writer.opaque(new Uint8Array()).written() // no extensions
}

/** `ConsentEntry`. Malformed for more than 100 KeyPackages, or a room that is not one; its URIs may be of any provider. */
export function decodeConsentEntry(bytes: Uint8Array): Decoded<ConsentEntry> {
  return decodeWhole(bytes, (reader) => {
    const operation = readEnum(reader, OPERATIONS)
    const [requester, target] = [readUri(reader), readUri(reader)]
    const roomId = reader.optional(readRoomUri)
    const keyPackages = operation === 'grant' ? reader.vector(MAX_KEY_PACKAGES, (item) => bytesOf(item, readKeyPackage)) : []
    reader.opaque() // extensions, of which none is known
    return { operation, requester, target, roomId, keyPackages }
  })
}
