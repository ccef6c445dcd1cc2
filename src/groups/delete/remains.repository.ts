import { callFunction, type Sql } from '../../platform/postgres/sql.js'

/** Deleted groups of which rows are left, `limit` at most after `after`. */
export async function groupsWithRemains(sql: Sql, after: bigint, limit: number): Promise<bigint[]> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'groups_with_remains',
    text: 'SELECT gid FROM group_remains WHERE gid > $1 ORDER BY gid LIMIT $2',
    values: [after, limit],
  })
  return rows.map(({ gid }) => gid)
}

/** How many deleted groups have rows left. */
export async function countRemains(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ count: number }>('SELECT count(*)::integer AS count FROM group_remains')
  return rows[0]?.count ?? 0
}

/** One slice: see `delete_remains`. @param limit rows of each table. @returns whether there may be more */
export async function deleteRemains(sql: Sql, gid: bigint, limit: number): Promise<boolean> {
  const { call, values } = callFunction('delete_remains', { p_gid: gid, p_rows: limit })
  const { rows } = await sql.query<{ more: boolean }>({ name: 'delete_remains', text: `SELECT ${call} AS more`, values })
  return rows[0]?.more ?? false
}
