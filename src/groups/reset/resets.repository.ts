import type { Hint } from '../../platform/hints/hint.js'
import { rowOfGroup } from '../repository/group-row.js'
import { callFunction, type Sql } from '../../platform/postgres/sql.js'

/** Who resets a group: one of its admins, or one of those who reported a Commit. Null: has been judged (a restore, a test). */
export type Resetter = { adminId: bigint } | { reporterId: bigint } | null

export type Freezing = 'accepted' | 'frozen' | 'deleted' | 'unknown' | 'forbidden' | 'few-reports'

/** No entry is taken any more; one successor may take the group's place (§4). @param grace seconds for which that place is reserved */
export async function freezeGroup(sql: Sql, gid: bigint, by: Resetter, grace: number): Promise<Freezing> {
  const { call, values } = callFunction('freeze_group', {
    p_gid: gid,
    p_reason: 'reset',
    p_admin: by && 'adminId' in by ? by.adminId : null,
    p_user: by && 'reporterId' in by ? by.reporterId : null,
    p_grace: grace,
  })
  const { rows } = await sql.query<{ outcome: Freezing }>({ text: `SELECT ${call} AS outcome`, values, row: rowOfGroup(gid) })
  return rows[0]?.outcome ?? 'unknown'
}

/** `successor`: row id of the group that had taken the place, and has stopped now. */
export interface Undoing {
  kind: 'accepted' | 'unknown' | 'deleted' | 'forbidden' | 'final'
  successor: bigint | null
}

/** The group goes on where it stood; see `undo_reset`. */
export async function undoReset(sql: Sql, gid: bigint, adminId: bigint): Promise<Undoing> {
  const { call, values } = callFunction('undo_reset', { p_gid: gid, p_admin: adminId })
  const { rows } = await sql.query<{ outcome: Undoing['kind']; successor: bigint | null }>({
    text: `SELECT outcome, successor FROM ${call}`,
    values,
    row: rowOfGroup(gid),
  })
  const { outcome = 'unknown', successor = null } = rows[0] ?? {}
  return { kind: outcome, successor }
}

/** For streams that are open, and for peers: in which inboxes `group.frozen` waits. Call it after COMMIT. */
export async function hintsOfFrozen(sql: Sql, gid: bigint): Promise<Hint[]> {
  const { rows } = await sql.query<{ headSeq: bigint; devices: bigint[] }>({
    text: `SELECT g.head_seq AS "headSeq", ARRAY(SELECT i.device_id FROM inbox i WHERE i.gid = g.gid AND i.kind = 'group.frozen') AS devices
             FROM groups g WHERE g.gid = $1`,
    values: [gid],
  })
  return rows.flatMap(({ headSeq, devices }) => [
    ...devices.map((deviceId) => ({ kind: 'inbox' as const, deviceId })),
    { kind: 'group' as const, gid, headSeq },
  ])
}
