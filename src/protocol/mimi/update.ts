import { readMessage, type MlsMessage } from '../mls/message.js'
import { readGroupInfo } from '../mls/structures/group-info.js'
import { readWelcome } from '../mls/structures/welcome.js'
import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { bytesOf, framed, readEnum, readText, unframed, writeEnum, writeText } from './common.js'
import { readTreeOption, writeTreeOption, type TreeOption } from './tree-option.js'

const MAX_PROPOSALS = 256
/** The draft reserves 0; here it says that a Commit comes without a GroupInfo, as it may where nobody can join from outside. */
const REPRESENTATIONS = ['none', 'full', 'partial'] as const

/** All messages are MLSMessages, as this server keeps them; the wire has Welcome and GroupInfo without that frame. */
export type UpdateRequest =
  | {
      readonly kind: 'commit'
      readonly commit: Uint8Array
      readonly welcome: Uint8Array | undefined
      readonly groupInfo: Uint8Array | undefined
      readonly tree: TreeOption
    }
  | { readonly kind: 'proposals'; readonly proposals: readonly Uint8Array[] }

/** `UpdateRequest`. @throws RangeError for an update without a proposal and a Commit */
export function writeUpdateRequest(writer: TlsWriter, request: UpdateRequest): TlsWriter {
  if (request.kind === 'proposals') {
    const [first, ...more] = request.proposals
    if (!first) throw new RangeError('an update has a proposal or a Commit')
    return writer.raw(first).vector(more, (item, proposal) => item.raw(proposal))
  }
  writer.raw(request.commit).optional(request.welcome, (item, welcome) => item.raw(unframed(welcome)))
  writeEnum(writer, REPRESENTATIONS, request.groupInfo ? 'full' : 'none')
  if (request.groupInfo) writer.raw(unframed(request.groupInfo))
  return writeTreeOption(writer, request.tree)
}

/** `UpdateRequest`. @throws Malformed also for a PartialGroupInfo, and for other messages among proposals */
export function readUpdateRequest(reader: TlsReader): UpdateRequest {
  const first = readMessage(reader)
  const contentType = contentTypeOf(first)
  if (contentType === 'proposal') {
    const more = reader.vector(MAX_PROPOSALS, readMessage)
    if (more.some((message) => contentTypeOf(message) !== 'proposal')) throw new Malformed('what follows a Proposal is not one')
    return { kind: 'proposals', proposals: [first, ...more].map(({ bytes }) => bytes) }
  }
  const welcome = reader.optional((item) => bytesOf(item, readWelcome))
  const representation = readEnum(reader, REPRESENTATIONS)
  if (representation === 'partial') throw new Malformed('a PartialGroupInfo is not taken')
  const groupInfo = representation === 'full' ? bytesOf(reader, readGroupInfo) : undefined
  return {
    kind: 'commit',
    commit: first.bytes,
    welcome: welcome && framed('welcome', welcome),
    groupInfo: groupInfo && framed('group-info', groupInfo),
    tree: readTreeOption(reader),
  }
}

/** `UpdateRequest` alone, as the draft has it. @throws RangeError as `writeUpdateRequest` */
export function encodeUpdateRequest(request: UpdateRequest): Uint8Array {
  return writeUpdateRequest(new TlsWriter(), request).written()
}

/** The opposite of `encodeUpdateRequest`. */
export function decodeUpdateRequest(bytes: Uint8Array): Decoded<UpdateRequest> {
  return decodeWhole(bytes, readUpdateRequest)
}

/** What a framed message contains; a PrivateMessage says so in the open (RFC 9420 §6.3). */
export function contentTypeOf({ wireFormat, body }: MlsMessage): 'proposal' | 'commit' {
  if (wireFormat === 'public-message') return body.content.kind
  if (wireFormat === 'private-message' && body.contentType !== 'application') return body.contentType
  throw new Malformed('the message is neither a Proposal nor a Commit')
}

const CODES = ['success', 'wrong-epoch', 'not-allowed', 'invalid-proposal'] as const

export type UpdateResponse = { readonly description: string } & (
  | { readonly code: 'success'; readonly acceptedAtMs: bigint }
  | { readonly code: 'wrong-epoch'; readonly currentEpoch: bigint }
  | { readonly code: 'not-allowed' }
  | { readonly code: 'invalid-proposal'; readonly invalid: readonly Uint8Array[] }
)

/** `UpdateRoomResponse`. */
export function writeUpdateResponse(writer: TlsWriter, response: UpdateResponse): TlsWriter {
  writeText(writeEnum(writer, CODES, response.code), response.description)
  switch (response.code) {
    case 'success':
      return writer.uint64(response.acceptedAtMs)
    case 'wrong-epoch':
      return writer.uint64(response.currentEpoch)
    case 'invalid-proposal':
      return writer.vector(response.invalid, (item, ref) => item.opaque(ref))
    case 'not-allowed':
      return writer
  }
}

/** `UpdateRoomResponse`. */
export function readUpdateResponse(reader: TlsReader): UpdateResponse {
  const code = readEnum(reader, CODES)
  const description = readText(reader)
  switch (code) {
    case 'success':
      return { code, description, acceptedAtMs: reader.uint64() }
    case 'wrong-epoch':
      return { code, description, currentEpoch: reader.uint64() }
    case 'invalid-proposal':
      return { code, description, invalid: reader.vector(MAX_PROPOSALS, (item) => item.opaque()) }
    case 'not-allowed':
      return { code, description }
  }
}

/** `UpdateRoomResponse` alone, as the draft has it. */
export function encodeUpdateResponse(response: UpdateResponse): Uint8Array {
  return writeUpdateResponse(new TlsWriter(), response).written()
}

/** The opposite of `encodeUpdateResponse`. */
export function decodeUpdateResponse(bytes: Uint8Array): Decoded<UpdateResponse> {
  return decodeWhole(bytes, readUpdateResponse)
}
