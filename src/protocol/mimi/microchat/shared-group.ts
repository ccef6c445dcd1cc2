import { decodeWhole, type Decoded } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { readGroup, readRoomUri, writeText } from '../common.js'
import { CHAIN_BYTES } from './submissions.js'

export const MAX_PLACES = 128

/** A place in the log of a group, and the chain value there: only who follows the group knows it. */
export interface LogPlace {
  readonly seq: bigint
  readonly chain: Uint8Array
}

/** A group that the asking provider follows, shown by places of its log. */
export interface SharedGroup {
  readonly groupId: Uint8Array
  readonly roomId: string
  readonly places: readonly LogPlace[]
}

/** `SharedGroup`, the body of `directory` and `deviceList` (docs/federation-profile.md, Between users). */
export function encodeSharedGroup({ groupId, roomId, places }: SharedGroup): Uint8Array {
  return writeText(new TlsWriter().opaque(groupId), roomId)
    .vector(places, (item, { seq, chain }) => item.uint64(seq).raw(chain))
    .written()
}

/** `SharedGroup`. Malformed for more than 128 places. */
export function decodeSharedGroup(bytes: Uint8Array): Decoded<SharedGroup> {
  return decodeWhole(bytes, (reader) => ({
    groupId: readGroup(reader),
    roomId: readRoomUri(reader),
    places: reader.vector(MAX_PLACES, (item) => ({ seq: item.uint64(), chain: item.fixed(CHAIN_BYTES) })),
  }))
}
