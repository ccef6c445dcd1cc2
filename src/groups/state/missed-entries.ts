import type { Sql } from '../../platform/postgres/sql.js'
import type { MissedEntry } from '../groups.problems.js'
import { readMissedHandshakes, type HandshakeRow } from '../repository/log.repository.js'

export function toEntry(group: { groupId: Uint8Array; incarnation: number }, row: HandshakeRow): MissedEntry {
  return {
    group_id: group.groupId,
    incarnation: group.incarnation,
    seq: row.seq,
    kind: row.kind === 'c' ? 'commit' : 'proposal',
    epoch: row.epoch,
    accepted_at: row.acceptedAt,
    hash: row.hash,
    chain: row.chain,
    message: row.bytes,
  }
}

/** What a device that is still in `epoch` needs to get on, cut to its membership and to a bounded size. */
export async function missedEntries(
  sql: Sql,
  group: { gid: bigint; groupId: Uint8Array; incarnation: number },
  deviceId: bigint,
  epoch: bigint,
): Promise<MissedEntry[]> {
  const rows = await readMissedHandshakes(sql, group.gid, deviceId, epoch)
  return rows.map((row) => toEntry(group, row))
}
