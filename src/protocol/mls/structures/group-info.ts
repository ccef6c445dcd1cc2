import { Malformed, type TlsReader } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { readExtensions, writeExtensions, type Extension } from './extension.js'

/** ProtocolVersion mls10, the only one there is (RFC 9420 §6). */
export const MLS10 = 1

/** The fields of a GroupContext (RFC 9420 §8.1); both hashes are as long as the suite's, the transcript's empty at epoch 0. */
export interface GroupContextFields {
  readonly version: number
  readonly cipherSuite: number
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly treeHash: Uint8Array
  readonly confirmedTranscriptHash: Uint8Array
  readonly extensions: readonly Extension[]
}

/** RFC 9420 §8.1. */
export interface GroupContext extends GroupContextFields {
  /** The encoding, which handshake signatures cover. */
  readonly bytes: Uint8Array
}

/** GroupContext of RFC 9420 §8.1; `bytes` is the slice it was read from. @throws Malformed for any version but mls10 */
export function readGroupContext(reader: TlsReader): GroupContext {
  const start = reader.position
  const fields = {
    version: reader.uint16(),
    cipherSuite: reader.uint16(),
    groupId: reader.opaque(),
    epoch: reader.uint64(),
    treeHash: reader.opaque(),
    confirmedTranscriptHash: reader.opaque(),
    extensions: readExtensions(reader),
  }
  if (fields.version !== MLS10) throw new Malformed(`protocol version ${fields.version} is unknown`)
  return { ...fields, bytes: reader.since(start) }
}

/** A GroupContext (RFC 9420 §8.1) of these fields, encoded into `bytes`. @throws RangeError for a number that its field cannot hold */
export function makeGroupContext(fields: GroupContextFields): GroupContext {
  const writer = new TlsWriter().uint16(fields.version).uint16(fields.cipherSuite).opaque(fields.groupId).uint64(fields.epoch)
  writer.opaque(fields.treeHash).opaque(fields.confirmedTranscriptHash)
  writeExtensions(writer, fields.extensions)
  return { ...fields, bytes: writer.written() }
}

/** RFC 9420 §12.4.3. */
export interface GroupInfo {
  readonly groupContext: GroupContext
  readonly extensions: readonly Extension[]
  readonly confirmationTag: Uint8Array
  /** Leaf index of the member that signed. */
  readonly signer: number
  readonly signature: Uint8Array
  /** GroupInfoTBS: the encoding without the signature. */
  readonly tbs: Uint8Array
}

/** GroupInfo of RFC 9420 §12.4.3; nothing of it is verified. @throws Malformed */
export function readGroupInfo(reader: TlsReader): GroupInfo {
  const start = reader.position
  const fields = {
    groupContext: readGroupContext(reader),
    extensions: readExtensions(reader),
    confirmationTag: reader.opaque(),
    signer: reader.uint32(),
  }
  return { ...fields, tbs: reader.since(start), signature: reader.opaque() }
}
