import { encode } from 'cborg'
import { z } from 'zod'
import { decodeCbor } from './strict-cbor.js'

/** Subprotocol of `GET /v1/stream`: one CBOR map per binary message, its key `t` names the frame. See docs/asyncapi.yaml. */
export const STREAM_PROTOCOL = 'microchat.v1'

/** Why the server ends a stream (RFC 6455 §7.4; 4000–4999 are the application's own). */
export const CloseCode = {
  policy: 1008,
  drain: 1012,
  badFrame: 4400,
  tokenExpired: 4401,
  revoked: 4403,
  neverAcks: 4408,
  displaced: 4409,
} as const

/** One frame of a client carries at most this many items; it fits into MAX_CLIENT_FRAME_BYTES with ids of usual length. */
const MAX_ITEMS = 1_024
export const MAX_CLIENT_FRAME_BYTES = 64 * 1024

const Bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array)
const GroupId = Bytes.refine((id) => id.length >= 1 && id.length <= 255, 'a group_id has 1 to 255 bytes')
const Incarnation = z
  .int()
  .min(1)
  .max(2 ** 31 - 1)
const Whole = z.int().nonnegative()

/** A place in one log: everything of the group up to `seq` is done with. */
const Position = z.strictObject({ group_id: GroupId, incarnation: Incarnation, seq: Whole })
export type Position = z.infer<typeof Position>

/**
 * An application message for the log of a group. `id` is the client's own and comes back with the answer. Group and epoch are in the message
 * itself (RFC 9420 §6.3); `group_id` is the group's address at this server.
 */
const PostFrame = z.strictObject({
  t: z.literal('post'),
  id: Whole,
  group_id: GroupId,
  message: Bytes,
  incarnation: Incarnation.optional(),
})
export type PostFrame = z.infer<typeof PostFrame>

export const ClientFrame = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('resume'), positions: z.array(Position).max(MAX_ITEMS) }),
  z.strictObject({ t: z.literal('ack'), acks: z.array(Position).min(1).max(MAX_ITEMS) }),
  z.strictObject({ t: z.literal('inbox-ack'), ids: z.array(Whole).min(1).max(MAX_ITEMS) }),
  z.strictObject({ t: z.literal('token'), access_token: z.string().min(1).max(4_096), dpop: z.string().max(4_096).optional() }),
  PostFrame,
  z.strictObject({ t: z.literal('ping'), n: Whole }),
])
export type ClientFrame = z.infer<typeof ClientFrame>

/** A log entry as every representation has it; it never says who sent it. */
export const EntryFrame = z.strictObject({
  group_id: GroupId,
  incarnation: Incarnation,
  seq: Whole,
  kind: z.enum(['commit', 'proposal', 'application']),
  epoch: Whole,
  accepted_at: Whole,
  hash: Bytes,
  chain: Bytes,
  message: Bytes,
})
export type EntryFrame = z.infer<typeof EntryFrame>

/** Why a group takes no more entries. */
export const FreezeReason = z.enum(['reinit', 'reset']).meta({ id: 'FreezeReason' })

const inboxHead = { t: z.literal('inbox'), id: Whole }
const inboxGroup = { group_id: GroupId, incarnation: Incarnation }
export const InboxFrame = z.discriminatedUnion('kind', [
  z.strictObject({
    ...inboxHead,
    kind: z.literal('welcome'),
    ...inboxGroup,
    mls_group_id: GroupId.optional(),
    seq: Whole,
    epoch: Whole,
    expires_at: Whole,
    welcome: Bytes,
  }),
  z.strictObject({ ...inboxHead, kind: z.literal('key-packages.low'), cipher_suite: Whole, remaining: Whole }),
  z.strictObject({ ...inboxHead, kind: z.literal('group.deleted'), ...inboxGroup }),
  z.strictObject({ ...inboxHead, kind: z.literal('group.leaving'), ...inboxGroup, clients: z.array(z.string()) }),
  z.strictObject({
    ...inboxHead,
    kind: z.literal('group.frozen'),
    ...inboxGroup,
    reason: FreezeReason,
    successor: GroupId.optional(),
  }),
  z.strictObject({ ...inboxHead, kind: z.literal('group.thawed'), ...inboxGroup }),
  z.strictObject({ ...inboxHead, kind: z.literal('resync'), ...inboxGroup }),
  z.strictObject({ ...inboxHead, kind: z.literal('device.added'), client: z.string() }),
  z.strictObject({ ...inboxHead, kind: z.literal('device.revoked'), client: z.string() }),
  z.strictObject({ ...inboxHead, kind: z.literal('identity.changed'), user: z.string() }),
  z.strictObject({ ...inboxHead, kind: z.literal('device-list.changed'), number: Whole }),
  z.strictObject({ ...inboxHead, kind: z.literal('device-list.pending'), effective_at: Whole }),
  z.strictObject({ ...inboxHead, kind: z.literal('device-list.dropped'), number: Whole }),
])
export type InboxFrame = z.infer<typeof InboxFrame>

/** Where an accepted post stands: the schema `Accepted` of openapi.yaml. */
const acceptedPost = { seq: Whole, epoch: Whole, incarnation: Incarnation, chain: Bytes, readable_seq: Whole.optional() }
const AcceptedPost = z.strictObject(acceptedPost)
export type AcceptedPost = z.infer<typeof AcceptedPost>

export const ServerFrame = z.union([
  z.discriminatedUnion('t', [
    z.strictObject({ t: z.literal('hello'), heartbeat: Whole, max_unacked: Whole }),
    z.strictObject({ t: z.literal('entries'), entries: z.array(EntryFrame).min(1) }),
    z.strictObject({ t: z.literal('live') }),
    z.strictObject({ t: z.literal('resync'), group_id: GroupId, incarnation: Incarnation }),
    z.strictObject({ t: z.literal('removed'), group_id: GroupId, seq: Whole }),
    z.strictObject({ t: z.literal('posted'), id: Whole, ...acceptedPost }),
    z.strictObject({
      t: z.literal('refused'),
      id: Whole,
      retry_after: Whole.optional(),
      problem: z.looseObject({ type: z.string(), title: z.string(), status: z.int() }),
    }),
    z.strictObject({ t: z.literal('pong'), n: Whole }),
    z.strictObject({ t: z.literal('token-expiring'), expires_at: Whole }),
  ]),
  InboxFrame,
])
export type ServerFrame = z.infer<typeof ServerFrame>

/** `reason` is for the close frame: a few words, nothing of the bytes. */
export type DecodedFrame<Frame> = { kind: 'frame'; frame: Frame } | { kind: 'malformed'; reason: string }

/** One frame of a client: strict CBOR (see `decodeCbor`) of a `ClientFrame` without further keys. Never throws. */
export function decodeClientFrame(bytes: Uint8Array): DecodedFrame<ClientFrame> {
  return decodeFrame(ClientFrame, bytes)
}

/**
 * What this version of the server sends, key by key: tests find with it what docs/asyncapi.yaml does not describe.
 * A client has to ignore frames and keys that it does not know (docs/versioning.md).
 */
export function decodeServerFrame(bytes: Uint8Array): DecodedFrame<ServerFrame> {
  return decodeFrame(ServerFrame, bytes)
}

/** One frame as a binary message of the stream: a CBOR map. */
export function encodeFrame(frame: ClientFrame | ServerFrame): Uint8Array {
  return encode(frame)
}

function decodeFrame<Frame>(schema: z.ZodType<Frame>, bytes: Uint8Array): DecodedFrame<Frame> {
  let value: unknown
  try {
    value = decodeCbor(bytes)
  } catch {
    return { kind: 'malformed', reason: 'not strict CBOR' }
  }
  const parsed = schema.safeParse(value)
  return parsed.success ? { kind: 'frame', frame: parsed.data } : { kind: 'malformed', reason: 'no such frame' }
}

/** An entry of the frame `entries`, which is encoded once per node and then shared by every frame that carries it. */
export function encodeEntry(entry: EntryFrame): Uint8Array {
  return encode(entry)
}

/** The frame `entries` around encoded entries: `{t: 'entries', entries: […]}`, keys in deterministic order. */
export function joinEntries(encoded: readonly Uint8Array[]): Buffer {
  const empty = encode({ t: 'entries', entries: [] })
  // 'entries' sorts after 't', so the empty array (one byte) ends the map; the head of the full one replaces it.
  return Buffer.concat([empty.subarray(0, empty.length - 1), arrayHead(encoded.length), ...encoded])
}

/** RFC 8949 §3: major type 4, shortest length. */
function arrayHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(0x80 | length)
  return length < 256 ? Uint8Array.of(0x98, length) : Uint8Array.of(0x99, length >> 8, length & 0xff)
}
