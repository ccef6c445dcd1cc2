import type { Sql } from '../../platform/postgres/sql.js'

/** In milliseconds. */
export interface ForgetAfter {
  /** For which a device has time to take up a group, after the last one was added. */
  readonly kept: number
  /** For which somebody who is out of the group may read what was sent before. */
  readonly read: number
}

/** A replica that nobody has taken up, and whether it may be forgotten. */
export interface NewReplica {
  gid: bigint
  isOver: boolean
}

/** Those, by gid after `after`. No lock is taken: `forgetReplica` judges again. */
export async function newReplicas(sql: Sql, after: bigint, limit: number, { kept, read }: ForgetAfter): Promise<NewReplica[]> {
  const { rows } = await sql.query<NewReplica>({
    name: 'new_replicas',
    text: `SELECT r.gid, may_be_forgotten(p_gid => r.gid, p_kept => $3 * interval '1 millisecond', p_read => $4 * interval '1 millisecond') AS "isOver" FROM (
             SELECT gid FROM replica_storage WHERE stage = 0 AND gid > $1 ORDER BY gid LIMIT $2
           ) r ORDER BY r.gid`,
    values: [after, limit, kept, read],
  })
  return rows
}

/** Forgets a replica wholly, in one transaction, if nobody has taken it up in this moment. @returns whether it is gone */
export async function forgetReplica(sql: Sql, gid: bigint, { kept, read }: ForgetAfter): Promise<boolean> {
  const { rows } = await sql.query<{ gone: boolean }>({
    name: 'forget_replica',
    text: `SELECT forget_replica(p_gid => $1, p_kept => $2 * interval '1 millisecond', p_read => $3 * interval '1 millisecond') AS gone`,
    values: [gid, kept, read],
  })
  return rows[0]?.gone === true
}
