import type { Home } from '../../../groups/home/homes.repository.js'
import type { Sql } from '../../../platform/postgres/sql.js'

/** Where the copy of another hub's log ends. */
export interface ReplicaPlace {
  gid: bigint
  incarnation: number
  headSeq: bigint
  /** Nothing more is taken: the group is deleted, or its hub has shown two histories. */
  ended: boolean
}

/** Undefined as long as nothing of the group has come. */
export async function placeOf(sql: Sql, { hub, groupId }: Pick<Home, 'hub' | 'groupId'>): Promise<ReplicaPlace | undefined> {
  const { rows } = await sql.query<ReplicaPlace>({
    name: 'place_of_replica',
    text: `SELECT g.gid, g.incarnation, g.head_seq AS "headSeq", g.deleted_at IS NOT NULL OR f.stopped IS NOT NULL AS ended
             FROM followed_group f JOIN groups g ON g.gid = f.gid WHERE f.group_id = $2 AND f.hub = $1`,
    values: [hub, groupId],
  })
  return rows[0]
}
