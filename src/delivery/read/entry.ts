import { z } from 'zod'
import { Epoch, GroupId, Hash, MlsBytes, Seq, UnixSeconds } from '../../platform/http/bytes.js'
import type { EntryFrame } from '../../protocol/frames.js'
import { KIND_OF_LETTER, LOG_KINDS, type KindLetter } from '../../protocol/log-chain.js'

/** The columns that every read of the log selects, from a row source named `l`; NULL throughout where a join found none. */
export const LOG_COLUMNS = 'l.seq, l.kind, l.epoch, l.accepted_at AS "acceptedAt", l.hash, l.chain, l.bytes'

/** An entry as a row of `log`, at its hub and in a replica. `bytes` are the MLSMessage, `hash` is their SHA-256. */
export interface LogRow {
  seq: bigint
  kind: KindLetter
  epoch: bigint
  acceptedAt: Date
  hash: Uint8Array
  chain: Uint8Array
  bytes: Uint8Array
}

/** An outer join's row: all null if the group has no new entry; only `bytes` null if the page had no room for them. */
export type MaybeLogRow = LogRow | { [Column in keyof LogRow]: LogRow[Column] | null }

/** Whether the join found an entry and its bytes fit on the page. */
export function hasEntry<Row extends MaybeLogRow>(row: Row): row is Row & LogRow {
  return row.seq !== null && row.bytes !== null
}

/** A row as clients get it: with the group's id and incarnation, and the kind in full. */
export function toEntry(group: { groupId: Uint8Array; incarnation: number }, row: LogRow): Entry {
  return {
    group_id: group.groupId,
    incarnation: group.incarnation,
    seq: row.seq,
    kind: KIND_OF_LETTER[row.kind],
    epoch: row.epoch,
    accepted_at: row.acceptedAt,
    hash: row.hash,
    chain: row.chain,
    message: row.bytes,
  }
}

/** One entry of a group's log, the same in JSON, in CBOR and on the stream. It has no field for the sender; in a public group a handshake's `message` names it all the same. */
export const Entry = z
  .object({
    group_id: GroupId,
    incarnation: z.int().positive(),
    seq: Seq,
    kind: z.enum(LOG_KINDS),
    epoch: Epoch,
    accepted_at: UnixSeconds,
    hash: Hash,
    chain: Hash,
    message: MlsBytes(),
  })
  .meta({ id: 'Entry', description: 'A log entry. `hash` is SHA-256 of `message`; `chain` extends the chain of the entries before it.' })
export type Entry = z.output<typeof Entry>

/** Numbers instead of bigints: seq and epoch stay below 2^53. */
export function entryFrame(entry: Entry): EntryFrame {
  return {
    ...entry,
    seq: Number(entry.seq),
    epoch: Number(entry.epoch),
    accepted_at: Math.floor(entry.accepted_at.getTime() / 1000),
  }
}
