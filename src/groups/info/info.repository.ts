import type { Sql } from '../../platform/postgres/sql.js'

/** The epochs of Welcomes that wait in a device's inbox: it may be out again, and still has to be able to open them. */
export async function waitingEpochs(sql: Sql, gid: bigint, deviceId: bigint): Promise<bigint[]> {
  const { rows } = await sql.query<{ epoch: bigint }>({
    name: 'waiting_epochs',
    text: `SELECT w.epoch FROM inbox i JOIN welcome w ON w.gid = i.gid AND w.seq = i.seq AND w.ordinal = i.ordinal
            WHERE i.device_id = $2 AND i.gid = $1 AND i.kind = 'welcome' AND w.expires_at > now()`,
    values: [gid, deviceId],
  })
  return rows.map(({ epoch }) => epoch)
}
