import type { Sql } from '../../platform/postgres/sql.js'
import type { Entry } from '../../delivery/read/log.dto.js'
import { toEntry } from '../../delivery/read/log-row.js'
import { readMissedHandshakes } from '../repository/log.repository.js'

/** What a device that is still in `epoch` needs to get on, cut to its membership and to a bounded size. */
export async function missedEntries(
  sql: Sql,
  group: { gid: bigint; groupId: Uint8Array; incarnation: number },
  deviceId: bigint,
  epoch: bigint,
): Promise<Entry[]> {
  const rows = await readMissedHandshakes(sql, group.gid, deviceId, epoch)
  return rows.map((row) => toEntry(group, row))
}
