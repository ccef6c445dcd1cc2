import type { Sql } from '../../../platform/postgres/sql.js'

/**
 * The hub lost what came after `keptSeq` to a restore, and continues in a new incarnation, as does the replica. Devices resync, and
 * memberships that began in the lost entries are deleted, those that ended there are open again. @returns the devices with a resync in their inbox
 */
export async function reincarnate(sql: Sql, gid: bigint, incarnation: number, keptSeq: bigint, chain: Uint8Array): Promise<bigint[]> {
  for (const text of [
    'DELETE FROM log WHERE gid = $1 AND seq > $2',
    "DELETE FROM inbox WHERE gid = $1 AND kind = 'welcome' AND seq > $2",
    'DELETE FROM welcome WHERE gid = $1 AND seq > $2',
    'DELETE FROM member WHERE gid = $1 AND from_seq - 1 > $2',
    'UPDATE member SET until_seq = NULL, ended = NULL WHERE gid = $1 AND until_seq > $2',
    'UPDATE member SET read_until = $2 WHERE gid = $1 AND read_until > $2',
  ])
    await sql.query({ text, values: [gid, keptSeq] })
  await sql.query({
    text: `UPDATE groups g SET incarnation = $2, head_seq = $3, chain_from_seq = $3, head_chain = $4, floor_seq = least(floor_seq, $3),
             bytes = held_bytes(p_gid => g.gid), epoch = coalesce((SELECT l.epoch + 1 FROM log l WHERE l.gid = $1 AND l.kind = 'c' AND l.seq <= $3 ORDER BY l.seq DESC LIMIT 1), g.epoch)
            WHERE gid = $1`,
    values: [gid, incarnation, keptSeq, chain],
  })
  const { rows } = await sql.query<{ deviceId: bigint }>({
    text: `INSERT INTO inbox (device_id, kind, gid)
           SELECT m.device_id, 'resync', m.gid FROM member m WHERE m.gid = $1 AND m.until_seq IS NULL AND m.read_until IS NULL ORDER BY m.device_id
           RETURNING device_id AS "deviceId"`,
    values: [gid],
  })
  return rows.map(({ deviceId }) => deviceId)
}
