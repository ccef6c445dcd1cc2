import { parseUserUri } from '../../identifiers.js'
import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { readUri, writeText } from '../common.js'

/** A provider has deleted one of its users; each that knows the user erases what it has. */
export interface EraseUserRequest {
  readonly user: string
  /** 32 random bytes, by which receipts name the erasure when nothing names the user any more. */
  readonly erasureId: Uint8Array
}

const ERASURE_ID_BYTES = 32

/** `EraseUserRequest` (docs/federation-profile.md, Bodies of this profile). */
export function encodeEraseUserRequest({ user, erasureId }: EraseUserRequest): Uint8Array {
  return writeText(new TlsWriter(), user).opaque(erasureId).written()
}

/** `EraseUserRequest`. */
export function decodeEraseUserRequest(bytes: Uint8Array): Decoded<EraseUserRequest> {
  return decodeWhole(bytes, (reader) => ({ user: readUri(reader), erasureId: readErasureId(reader) }))
}

function readErasureId(reader: TlsReader): Uint8Array {
  const id = reader.opaque()
  if (id.length !== ERASURE_ID_BYTES) throw new Malformed('an erasure has an id of 32 bytes')
  return id
}

/** A provider's word that the user can do nothing there any more, and that what it has of the user goes. It does not name the user. */
export interface ErasureReceipt {
  readonly erasureId: Uint8Array
  readonly erasedAtMs: bigint
  readonly keyId: string
  /** Ed25519 over `erasureReceiptBytes`, by a key of the signer's directory. */
  readonly signature: Uint8Array
}

type UnsignedReceipt = Pick<ErasureReceipt, 'erasureId' | 'erasedAtMs'>

/** Of whom a receipt is and between whom. They are signed, and not sent: who keeps a receipt does not keep the user's name by it. */
export interface ErasureParties {
  /** URI of the user, whose provider has asked. */
  readonly user: string
  /** Domain of the provider that has erased. */
  readonly eraser: string
}

/** What is signed: a label of its own, so that no other signature by the same key passes for a receipt, user and parties, and the receipt. */
export function erasureReceiptBytes({ user, eraser }: ErasureParties, receipt: UnsignedReceipt): Uint8Array {
  const asker = parseUserUri(user)?.domain ?? ''
  const writer = writeText(writeText(writeText(writeText(new TlsWriter(), 'microchat erasure receipt v2'), asker), eraser), user)
  return writeReceipt(writer, receipt).written()
}

/** `ErasureReceipt`, with key id and signature. */
export function encodeErasureReceipt(receipt: ErasureReceipt): Uint8Array {
  return writeText(writeReceipt(new TlsWriter(), receipt), receipt.keyId).opaque(receipt.signature).written()
}

/** `ErasureReceipt`; whether the signature verifies, the caller finds out by `erasureReceiptBytes`. */
export function decodeErasureReceipt(bytes: Uint8Array): Decoded<ErasureReceipt> {
  return decodeWhole(bytes, (reader) => ({
    erasureId: readErasureId(reader),
    erasedAtMs: reader.uint64(),
    keyId: readUri(reader),
    signature: reader.opaque(),
  }))
}

function writeReceipt(writer: TlsWriter, { erasureId, erasedAtMs }: UnsignedReceipt): TlsWriter {
  return writer.opaque(erasureId).uint64(erasedAtMs)
}
