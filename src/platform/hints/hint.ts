/** An application entry, encoded for streams. */
export interface CarriedEntry {
  seq: bigint
  epoch: bigint
  /** In whole seconds. */
  acceptedAt: Date
  frame: Uint8Array
}

/**
 * "There may be something new": losing, repeating or reordering one costs time and nothing else.
 * `group`: the log of a group reaches headSeq; `entries`, if there, are the last ones up to it. `inbox`: a device has a new inbox row. `acked`: a device acknowledged
 * inbox rows (a group's log waits for its Welcome). `revoked`, `session-ended`: end that device's stream, on every node; after the
 * first it never comes back. `displaced`: another stream of the device was opened just now. `stream-open`: one is open, said again
 * after an outage in which a `displaced` may have been lost.
 */
export type Hint =
  /** `entries` are encoded, or decoded, when somebody asks for them: most nodes that hear of a group have nobody in it. */
  | { kind: 'group'; gid: bigint; headSeq: bigint; incarnation?: number | undefined; entries?: (() => readonly CarriedEntry[]) | undefined }
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
