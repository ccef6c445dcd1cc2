import { decodeWhole, type Decoded, type TlsReader } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { readGroup, readRoomUri, readUri, writeText } from '../common.js'

/** The hub has deleted a group; each holder of a replica does the same. */
export interface DeleteRoomRequest {
  readonly roomId: string
  readonly groupId: Uint8Array
  readonly incarnation: number
}

/** `DeleteRoomRequest` (docs/federation-profile.md, Bodies of this profile). */
export function encodeDeleteRoomRequest(request: DeleteRoomRequest): Uint8Array {
  return writeRequest(new TlsWriter(), request).written()
}

/** `DeleteRoomRequest`. */
export function decodeDeleteRoomRequest(bytes: Uint8Array): Decoded<DeleteRoomRequest> {
  return decodeWhole(bytes, readRequest)
}

/** A follower's word that the replica's ciphertext is gone. */
export interface DeletionReceipt extends DeleteRoomRequest {
  readonly deletedEntries: bigint
  readonly deletedAtMs: bigint
  readonly keyId: string
  /** Ed25519 over `receiptBytes`, by a key of the follower's directory. */
  readonly signature: Uint8Array
}

type UnsignedReceipt = Omit<DeletionReceipt, 'keyId' | 'signature'>

/** Between whom a receipt is: who asked for the deletion, and who has deleted. Domains; they are signed, and not sent. */
export interface DeletionParties {
  readonly hub: string
  readonly follower: string
}

/** What the follower signs: a label of its own, so that no other signature by the same key passes for a receipt, both parties, and the receipt. */
export function receiptBytes({ hub, follower }: DeletionParties, receipt: UnsignedReceipt): Uint8Array {
  const writer = writeText(writeText(writeText(new TlsWriter(), 'microchat deletion receipt v2'), hub), follower)
  return writeReceipt(writer, receipt).written()
}

/** `DeletionReceipt`, with key id and signature. */
export function encodeDeletionReceipt(receipt: DeletionReceipt): Uint8Array {
  return writeText(writeReceipt(new TlsWriter(), receipt), receipt.keyId).opaque(receipt.signature).written()
}

/** `DeletionReceipt`; whether the signature verifies, the caller finds out by `receiptBytes`. */
export function decodeDeletionReceipt(bytes: Uint8Array): Decoded<DeletionReceipt> {
  return decodeWhole(bytes, (reader) => ({
    ...readRequest(reader),
    deletedEntries: reader.uint64(),
    deletedAtMs: reader.uint64(),
    keyId: readUri(reader),
    signature: reader.opaque(),
  }))
}

function writeRequest(writer: TlsWriter, { roomId, groupId, incarnation }: DeleteRoomRequest): TlsWriter {
  return writeText(writer, roomId).opaque(groupId).uint32(incarnation)
}

function readRequest(reader: TlsReader): DeleteRoomRequest {
  return { roomId: readRoomUri(reader), groupId: readGroup(reader), incarnation: reader.uint32() }
}

function writeReceipt(writer: TlsWriter, receipt: UnsignedReceipt): TlsWriter {
  return writeRequest(writer, receipt).uint64(receipt.deletedEntries).uint64(receipt.deletedAtMs)
}
