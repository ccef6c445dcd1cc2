import type { Sql } from '../../platform/postgres/sql.js'
import { rowsOf, type PersonalTable, type Section } from './personal-table.js'

/** Whose rows. */
export interface Owner {
  readonly accountId: bigint
  readonly user: string
  readonly deviceIds: readonly bigint[]
}

/** PostgreSQL has to know the types of parameters that a statement does not use. */
const TYPES = '$1::bigint IS NOT NULL AND $2::text IS NOT NULL AND $3::bigint[] IS NOT NULL'

const valuesOf = ({ accountId, user, deviceIds }: Owner): unknown[] => [accountId, user, deviceIds]

/** The ids of all devices that an account has, or had. */
export async function deviceIdsOf(sql: Sql, accountId: bigint): Promise<bigint[]> {
  const { rows } = await sql.query<{ id: bigint }>({
    name: 'device_ids_of',
    text: 'SELECT d.id FROM device d WHERE d.account_id = $1 ORDER BY d.id + 0',
    values: [accountId],
  })
  return rows.map(({ id }) => id)
}

export interface ExportedRow {
  /** The columns of `Section.key` as text, to continue after this row. */
  key: string[]
  fields: Record<string, unknown>
}

/**
 * A page of one section, in the order of its key.
 * @param after the key of the last row before it; undefined at the beginning
 */
export async function readSection(
  sql: Sql,
  table: PersonalTable,
  section: Section,
  owner: Owner,
  { after, limit }: { after: readonly string[] | undefined; limit: number },
): Promise<ExportedRow[]> {
  const columns = section.key.map(([column]) => column).join(', ')
  const bound = section.key.map(([, type], index) => `($4::text[])[${index + 1}]::${type}`).join(', ')
  const key = section.key.map(([column]) => `${column}::text`).join(', ')
  const fields = Object.entries(section.fields)
    .map(([name, value]) => `'${name}', ${value}`)
    .join(', ')
  const { rows } = await sql.query<ExportedRow>({
    text: `SELECT ARRAY[${key}] AS key, jsonb_strip_nulls(jsonb_build_object(${fields})) AS fields
             FROM ${rowsOf(table, section.only)}
            WHERE ${TYPES}
              AND ($4::text[] IS NULL OR (${columns}) > (${bound}))
            ORDER BY ${columns} LIMIT $5`,
    values: [...valuesOf(owner), after ?? null, limit],
  })
  return rows
}

/**
 * Erases a slice of the rows of one table.
 * @param standIn what is written where the name was
 * @returns how many rows were deleted or changed: fewer than `limit` is all
 */
export async function eraseRows(sql: Sql, table: PersonalTable, owner: Owner, standIn: string, limit: number): Promise<number> {
  const { erased, erasable } = table
  if (erased === 'last' || (erased !== 'deleted' && 'stays' in erased)) return 0
  const slice = `x.ctid = ANY (ARRAY(SELECT x.row_id FROM ${rowsOf(table, erasable)} WHERE ${TYPES} AND $4::text IS NOT NULL LIMIT $5))`
  const text =
    erased === 'deleted' ? `DELETE FROM ${table.table} x WHERE ${slice}` : `UPDATE ${table.table} x SET ${erased.changed} WHERE ${slice}`
  const { rowCount } = await sql.query({ text, values: [...valuesOf(owner), standIn, limit] })
  return rowCount ?? 0
}
