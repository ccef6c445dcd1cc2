import { readWelcome } from '../../mls/structures/welcome.js'
import { decodeWhole, type Decoded, type TlsReader } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { bytesOf, framed, readGroup, readText, readUri, unframed, writeText } from '../common.js'
import {
  readSubmitMessageRequest,
  readSubmitMessageResponse,
  writeSubmitMessageRequest,
  writeSubmitMessageResponse,
  type SubmitMessageRequest,
  type SubmitMessageResponse,
} from '../submit-message.js'
import {
  readUpdateRequest,
  readUpdateResponse,
  writeUpdateRequest,
  writeUpdateResponse,
  type UpdateRequest,
  type UpdateResponse,
} from '../update.js'

export const CHAIN_BYTES = 32

/** Where the hub's log has the entry; the draft's responses tell a time only. */
interface AcceptedEntry {
  readonly seq: bigint
  /** Epoch of the group after the entry. */
  readonly epoch: bigint
  readonly incarnation: number
  readonly chain: Uint8Array
}

function writeAccepted(writer: TlsWriter, { seq, epoch, incarnation, chain }: AcceptedEntry): TlsWriter {
  return writer.uint64(seq).uint64(epoch).uint32(incarnation).raw(chain)
}

function readAccepted(reader: TlsReader): AcceptedEntry {
  return { seq: reader.uint64(), epoch: reader.uint64(), incarnation: reader.uint32(), chain: reader.fixed(CHAIN_BYTES) }
}

const MAX_WELCOMES = 64
const MAX_REMOVED = 10_000
/** Stands for an incarnation that is not named, where more follows. */
const NO_INCARNATION = 0

/** An UpdateRequest, and what this profile adds to it. */
export interface ExtendedUpdateRequest {
  readonly base: UpdateRequest
  readonly sendingClient: string
  /** All but the first, which the base has. MLSMessages. */
  readonly moreWelcomes: readonly Uint8Array[]
  readonly joinCode: string | undefined
  /** Private mode: whom the Commit removes, whom it lets go, and whether it carries a ReInit. */
  readonly removed: readonly string[]
  readonly letGo?: readonly string[]
  readonly reinit: boolean
  /** Private mode: the group id that the ReInit announces, where the sender says so. */
  readonly successor?: Uint8Array | undefined
  /** That the sender is in, where it says so. */
  readonly incarnation?: number | undefined
}

/** `ExtendedUpdateRequest`, the body of `update` in this profile; Welcomes lose their MLSMessage frame. */
export function encodeExtendedUpdateRequest(request: ExtendedUpdateRequest): Uint8Array {
  const writer = writeText(writeUpdateRequest(new TlsWriter(), request.base), request.sendingClient)
  writer
    .vector(request.moreWelcomes, (item, welcome) => item.raw(unframed(welcome)))
    .optional(request.joinCode, writeText)
    .vector(request.removed, writeText)
    .uint8(request.reinit ? 1 : 0)
  const { incarnation, letGo = [], successor } = request
  if (letGo.length === 0 && !successor) return writeIncarnation(writer, incarnation).written()
  writeIncarnation(writer, incarnation ?? NO_INCARNATION).vector(letGo, writeText)
  return (successor ? writer.opaque(successor) : writer).written()
}

/** `ExtendedUpdateRequest`; Welcomes get their frame back. Malformed for more than 64 more Welcomes or 10,000 removed clients. */
export function decodeExtendedUpdateRequest(bytes: Uint8Array): Decoded<ExtendedUpdateRequest> {
  return decodeWhole(bytes, (reader) => ({
    base: readUpdateRequest(reader),
    sendingClient: readUri(reader),
    moreWelcomes: reader.vector(MAX_WELCOMES, (item) => framed('welcome', bytesOf(item, readWelcome))),
    joinCode: reader.optional((item) => readText(item)),
    removed: reader.vector(MAX_REMOVED, readUri),
    reinit: reader.optional(() => true) ?? false,
    incarnation: readIncarnation(reader),
    letGo: reader.remaining > 0 ? reader.vector(MAX_REMOVED, readUri) : [],
    successor: reader.remaining > 0 ? readGroup(reader) : undefined,
  }))
}

/** At the end of a request, and absent where the client names none. */
function writeIncarnation(writer: TlsWriter, incarnation: number | undefined): TlsWriter {
  return incarnation === undefined ? writer : writer.uint32(incarnation)
}

function readIncarnation(reader: TlsReader): number | undefined {
  const incarnation = reader.remaining > 0 ? reader.uint32() : NO_INCARNATION
  return incarnation === NO_INCARNATION ? undefined : incarnation
}

/** A SubmitMessageRequest, and the incarnation that the sender is in, where it says so. */
export interface ExtendedSubmitRequest {
  readonly base: SubmitMessageRequest
  readonly incarnation: number | undefined
}

/** `ExtendedSubmitRequest`, the body of `submitMessage` in this profile. */
export function encodeExtendedSubmitRequest({ base, incarnation }: ExtendedSubmitRequest): Uint8Array {
  return writeIncarnation(writeSubmitMessageRequest(new TlsWriter(), base), incarnation).written()
}

/** The opposite of `encodeExtendedSubmitRequest`. */
export function decodeExtendedSubmitRequest(bytes: Uint8Array): Decoded<ExtendedSubmitRequest> {
  return decodeWhole(bytes, (reader) => ({ base: readSubmitMessageRequest(reader), incarnation: readIncarnation(reader) }))
}

/** A response of the draft, where the entry stands, and what the hub would have told a client of its own: a problem document in CBOR. */
export interface Extended<Response> {
  readonly base: Response
  readonly accepted: AcceptedEntry | undefined
  readonly problem: Uint8Array
}

/** `ExtendedUpdateResponse`. `problem` is empty where `accepted` is not. */
export function encodeExtendedUpdateResponse({ base, accepted, problem }: Extended<UpdateResponse>): Uint8Array {
  return writeUpdateResponse(new TlsWriter(), base).optional(accepted, writeAccepted).opaque(problem).written()
}

/** `ExtendedUpdateResponse`; `problem` stays encoded. */
export function decodeExtendedUpdateResponse(bytes: Uint8Array): Decoded<Extended<UpdateResponse>> {
  return decodeWhole(bytes, (reader) => ({
    base: readUpdateResponse(reader),
    accepted: reader.optional(readAccepted),
    problem: reader.opaque(),
  }))
}

/** `ExtendedSubmitResponse`. `problem` is empty where `accepted` is not. */
export function encodeExtendedSubmitResponse({ base, accepted, problem }: Extended<SubmitMessageResponse>): Uint8Array {
  return writeSubmitMessageResponse(new TlsWriter(), base).optional(accepted, writeAccepted).opaque(problem).written()
}

/** `ExtendedSubmitResponse`; `problem` stays encoded. */
export function decodeExtendedSubmitResponse(bytes: Uint8Array): Decoded<Extended<SubmitMessageResponse>> {
  return decodeWhole(bytes, (reader) => ({
    base: readSubmitMessageResponse(reader),
    accepted: reader.optional(readAccepted),
    problem: reader.opaque(),
  }))
}
