import type { Sql } from '../../platform/postgres/sql.js'

/** An application message on its way into a group's log. `hash` is SHA-256 of `bytes`; nothing here says who sent it, but for the check. */
export interface AppendItem {
  gid: bigint
  deviceId: bigint
  epoch: bigint
  hash: Uint8Array
  bytes: Uint8Array
}

/** `duplicate`: the original acceptance again. Refusals carry the group's present epoch, where there is a group. */
export type AppendOutcome =
  | {
      kind: 'accepted' | 'duplicate'
      seq: bigint
      epoch: bigint
      chain: Buffer
      incarnation: number
      groupId: Buffer
      acceptedAt: Date
    }
  | {
      kind: 'not-a-member' | 'frozen' | 'stale' | 'ahead'
      currentEpoch: bigint
      incarnation: number
    }
  | { kind: 'unknown' | 'deleted' }

interface AppendRow {
  outcome: AppendOutcome['kind']
  seq: bigint
  epoch: bigint
  chain: Buffer
  current_epoch: bigint
  incarnation: number
  group_id: Buffer
  accepted_at: Date
}

/**
 * Appends a batch (≤ 128 items, ≤ 1 MB), one outcome per item, in the order of the items. One round trip, one transaction;
 * see `append_messages_v2` for the checks. A message may be at most `maxPastEpochs` behind its group.
 */
export async function appendMessages(sql: Sql, items: readonly AppendItem[], maxPastEpochs: number): Promise<AppendOutcome[]> {
  const { rows } = await sql.query<AppendRow>({
    name: 'append_messages_v2',
    text: `SELECT outcome, seq, epoch, chain, current_epoch, incarnation, group_id, accepted_at
             FROM append_messages_v2($1, $2, $3, $4, $5, $6, $7) ORDER BY ord`,
    values: [
      items.map((item) => item.gid),
      items.map((item) => item.deviceId),
      items.map((item) => item.epoch),
      items.map((item) => item.bytes.length),
      Buffer.concat(items.map((item) => item.hash)),
      Buffer.concat(items.map((item) => item.bytes)),
      maxPastEpochs,
    ],
  })
  return rows.map(toOutcome)
}

function toOutcome(row: AppendRow): AppendOutcome {
  const { outcome, seq, epoch, chain, incarnation, group_id: groupId, accepted_at: acceptedAt } = row
  if (outcome === 'accepted' || outcome === 'duplicate') return { kind: outcome, seq, epoch, chain, incarnation, groupId, acceptedAt }
  if (outcome === 'unknown' || outcome === 'deleted') return { kind: outcome }
  return { kind: outcome, currentEpoch: row.current_epoch, incarnation }
}
