import type { Sql } from '../../platform/postgres/sql.js'

/**
 * The first epoch that a device may look at: of its current membership, or of the oldest Welcome that waits in its inbox
 * (a Welcome may wait for a member, too: after a re-join under way). Undefined for whoever has neither.
 */
export async function firstReadableEpoch(sql: Sql, gid: bigint, deviceId: bigint): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ epoch: bigint | null }>({
    name: 'first_readable_epoch',
    text: `SELECT least(
             (SELECT max(m.join_epoch) FROM member m WHERE m.device_id = $2 AND m.gid = $1 AND m.until_seq IS NULL),
             (SELECT min(w.epoch) FROM inbox i JOIN welcome w ON w.gid = i.gid AND w.seq = i.seq AND w.ordinal = i.ordinal
               WHERE i.device_id = $2 AND i.gid = $1 AND i.kind = 'welcome' AND w.expires_at > now())
           ) AS epoch`,
    values: [gid, deviceId],
  })
  return rows[0]?.epoch ?? undefined
}
