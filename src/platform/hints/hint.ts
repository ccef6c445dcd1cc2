/**
 * "There may be something new": ids only, so that losing, repeating or reordering one costs time and nothing else.
 * `group`: the log of a group reaches headSeq. `inbox`: a device has a new inbox row. `acked`: a device acknowledged
 * inbox rows (a group's log waits for its Welcome). `revoked`, `session-ended`: end that device's stream, on every node; after the
 * first it never comes back. `displaced`: another stream of the device was opened just now. `stream-open`: one is open, said again
 * after an outage in which a `displaced` may have been lost.
 */
export type Hint =
  | { kind: 'group'; gid: bigint; headSeq: bigint }
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
