import { z } from 'zod'
import { decodeCbor } from '../../protocol/strict-cbor.js'
import { encodeCbor } from '../http/encode.js'
import type { Secrets } from '../secrets.js'

/** An application entry, encoded for streams. */
export interface CarriedEntry {
  seq: bigint
  epoch: bigint
  /** Time in whole seconds. */
  acceptedAt: Date
  frame: Uint8Array
}

/** They are encoded, or decoded, when somebody asks for them: most nodes that hear of a group have nobody in it. */
export interface CarriedEntries {
  /** Of their messages; entries that came from another node do not say it. */
  readonly bytes?: number
  readonly read: () => readonly CarriedEntry[]
}

/**
 * "There may be something new": losing, repeating or reordering one costs time and nothing else.
 * `group`: the log of a group reaches headSeq; `entries`, if there, are the last ones up to it. `inbox`: a device has a new inbox row. `acked`: a device acknowledged
 * inbox rows (a group's log waits for its Welcome). `revoked`, `session-ended`: end that device's stream, on every node; after the
 * first it never comes back. `displaced`: another stream of the device was opened just now. `stream-open`: one is open, said again
 * after an outage in which a `displaced` may have been lost.
 */
export type Hint =
  | { kind: 'group'; gid: bigint; headSeq: bigint; incarnation?: number | undefined; entries?: CarriedEntries | undefined }
  | { kind: 'inbox'; deviceId: bigint }
  | { kind: 'acked'; deviceId: bigint }
  | { kind: 'revoked'; deviceId: bigint }
  | { kind: 'session-ended'; deviceId: bigint }
  | { kind: 'displaced' | 'stream-open'; deviceId: bigint; streamId: string }

const CHANNELS = 64n

/** One of 64 fixed channels: subscriptions per group cost a node more than filtering does. */
export function channelOf(hint: Hint): number {
  return Number((hint.kind === 'group' ? hint.gid : hint.deviceId) % CHANNELS)
}

export const HINT_CHANNELS = Array.from({ length: Number(CHANNELS) }, (_, index) => `hint:${index}`)

const PURPOSE = 'hints v1'
const MAC_BYTES = 16
const Id = z.int().nonnegative().transform(BigInt)
const StreamId = z.string().max(64)

const Carried = z.array(
  z.object({
    seq: Id,
    epoch: Id,
    acceptedAt: z
      .int()
      .nonnegative()
      .transform((seconds) => new Date(seconds * 1000)),
    frame: z.instanceof(Uint8Array),
  }),
)

const GroupHint = z
  .object({
    kind: z.literal('group'),
    gid: Id,
    headSeq: Id,
    incarnation: z.int().positive().optional(),
    carried: z.instanceof(Uint8Array).optional(),
  })
  .transform(({ carried, ...hint }): Hint => (carried ? { ...hint, entries: { read: () => decodeCarried(carried) } } : hint))

const DeviceHint = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('inbox'), deviceId: Id }),
  z.object({ kind: z.literal('acked'), deviceId: Id }),
  z.object({ kind: z.literal('revoked'), deviceId: Id }),
  z.object({ kind: z.literal('session-ended'), deviceId: Id }),
  z.object({ kind: z.literal('displaced'), deviceId: Id, streamId: StreamId }),
  z.object({ kind: z.literal('stream-open'), deviceId: Id, streamId: StreamId }),
])

const KnownHint = z.union([GroupHint, DeviceHint])

/**
 * Nodes of two releases run side by side: members and kinds of hint that are new to this one are passed over, the rest
 * of the batch counts. A change of what is there already needs a new purpose, and both sent for one release.
 */
const Batch = z.object({ node: z.string(), hints: z.array(z.unknown()) })

/**
 * MAC, then CBOR. A writer to Redis can withhold hints, not invent them.
 * @param most bytes of the messages in the entries of one hint: more are read from the log where they are wanted, instead of travelling to nodes where they are not
 */
export function sealHints(
  { secrets, most }: { secrets: Secrets; most: number },
  channel: string,
  node: string,
  hints: readonly Hint[],
): Buffer {
  const body = encodeCbor({ node, hints: hints.map((hint) => portable(hint, most)) })
  return Buffer.concat([secrets.mac(PURPOSE, bound(channel, body)).subarray(0, MAC_BYTES), body])
}

/** Undefined if it is not from a node of this deployment. */
export function openHints(secrets: Secrets, channel: string, sealed: Uint8Array): { node: string; hints: Hint[] } | undefined {
  const body = sealed.subarray(MAC_BYTES)
  if (!secrets.verifyMac(PURPOSE, bound(channel, body), sealed.subarray(0, MAC_BYTES))) return undefined
  try {
    const { node, hints } = Batch.parse(decodeCbor(body))
    return { node, hints: hints.flatMap((hint) => KnownHint.safeParse(hint).data ?? []) }
  } catch {
    return undefined
  }
}

/** None, where another release carries something else: the log has them all. */
function decodeCarried(bytes: Uint8Array): readonly CarriedEntry[] {
  try {
    return Carried.parse(decodeCbor(bytes))
  } catch {
    return []
  }
}

/** Entries are encoded by themselves, so that who has no use for them need not decode them. */
function portable(hint: Hint, most: number): unknown {
  if (hint.kind !== 'group' || !hint.entries) return hint
  const { entries, ...rest } = hint
  const { kind, gid, headSeq } = rest
  // Without entries the incarnation would be that of a sweep.
  return (entries.bytes ?? 0) > most ? { kind, gid, headSeq } : { ...rest, carried: encodeCbor(entries.read()) }
}

function bound(channel: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${channel}\0`), body])
}
