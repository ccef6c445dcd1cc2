import type { Hint, CarriedEntry } from '../../platform/hints/hint.js'
import { encodeEntry } from '../../protocol/frames.js'
import { entryFrame } from '../read/entry.js'
import type { AppendedMessage } from './batch.js'

/** Entries of one hint: a burst is read in pages more cheaply than it is carried. */
const MAX_ENTRIES = 32

/**
 * The news of one group, with the entries themselves: readers on this node who are level with the log need not read it then. What goes to other
 * nodes is smaller (`sealHints`).
 * Application messages only. Any other entry, and any that is missing before one of these, makes the reader read.
 */
export function hintOf(gid: bigint, messages: readonly AppendedMessage[]): Hint[] {
  const last = messages.at(-1)?.outcome
  if (!last) return []
  const hint = { kind: 'group', gid, headSeq: last.seq } as const
  if (messages.length > MAX_ENTRIES) return [hint]
  const bytes = messages.reduce((sum, { item }) => sum + item.bytes.length, 0)
  return [{ ...hint, incarnation: last.incarnation, entries: { bytes, read: once(() => messages.map(carry)) } }]
}

/** Encoded once for readers on this node and for Redis, and not at all where there are neither. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

function carry({ item, outcome }: AppendedMessage): CarriedEntry {
  const { seq, epoch, acceptedAt } = outcome
  const entry = {
    group_id: outcome.groupId,
    incarnation: outcome.incarnation,
    seq,
    kind: 'application',
    epoch,
    accepted_at: acceptedAt,
    hash: item.hash,
    chain: outcome.chain,
    message: item.bytes,
  } as const
  return { seq, epoch, acceptedAt, frame: encodeEntry(entryFrame(entry)) }
}
