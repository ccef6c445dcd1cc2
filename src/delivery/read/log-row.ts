import type { Entry } from './log.dto.js'

/** The columns that every read of the log selects, from a row source named `l`; NULL throughout where a join found none. */
export const LOG_COLUMNS = 'l.seq, l.kind, l.epoch, l.accepted_at AS "acceptedAt", l.hash, l.chain, l.bytes'

const KINDS = { c: 'commit', p: 'proposal', a: 'application' } as const

/** An entry as the table has it. `hash` and `chain` have 32 bytes, `bytes` is the MLSMessage. */
export interface LogRow {
  seq: bigint
  kind: keyof typeof KINDS
  epoch: bigint
  acceptedAt: Date
  hash: Buffer
  chain: Buffer
  bytes: Buffer
}

/** An outer join's row: of a group without news, or with the bytes left behind because the page was full. */
export type MaybeLogRow = LogRow | { [Column in keyof LogRow]: LogRow[Column] | null }

/** Whether the join found an entry, and its bytes were read. */
export function isRead<Row extends MaybeLogRow>(row: Row): row is Row & LogRow {
  return row.seq !== null && row.bytes !== null
}

/** The entry as clients get it. @param group of the row, which has no column for either */
export function toEntry(group: { groupId: Uint8Array; incarnation: number }, row: LogRow): Entry {
  return {
    group_id: group.groupId,
    incarnation: group.incarnation,
    seq: row.seq,
    kind: KINDS[row.kind],
    epoch: row.epoch,
    accepted_at: row.acceptedAt,
    hash: row.hash,
    chain: row.chain,
    message: row.bytes,
  }
}
