/** Rows of one table that are about an account: those whose `column` is the account's id, its user URI, or the id of one of its devices. */
export interface PersonalTable {
  readonly table: string
  readonly of: keyof typeof OWNERS
  readonly column: string
  /** Which of these, where not all are meant. Here and in all SQL below `x` is the row, and the parameters are those of `OWNERS`. */
  readonly rows?: string
  readonly exported: Section | { readonly hidden: string }
  /**
   * What comes of them when the account is erased: `deleted`, in slices; `changed`, so that they no longer match `rows` (`$4`: what stands for
   * the name); `last`, with the account itself; or why they stay.
   */
  readonly erased: 'deleted' | 'last' | { readonly changed: string } | { readonly stays: string }
  /** Which of the rows may go, where not all may at any time. */
  readonly erasable?: string
}

/** How the export shows the rows. */
export interface Section {
  readonly section: string
  readonly about: string
  /** Columns that a row is known by, with their types: pages are in this order. */
  readonly key: readonly (readonly [column: string, type: string])[]
  /** Name in the export → SQL. What is NULL is left out. */
  readonly fields: Readonly<Record<string, string>>
  /** Which of the rows are shown, where not all are. */
  readonly only?: string
}

/** Base64url without padding, as bytes are in JSON. */
export const bytes = (sql: string): string => `translate(encode(${sql}, 'base64'), E'+/=\\n', '-_')`

/** Whole seconds since 1970. */
export const seconds = (sql: string): string => `floor(extract(epoch FROM ${sql}))::bigint`

/** What a row is recognised by. "OFFSET 0": one look-up for each, by the column's index, also where PostgreSQL knows nothing of the table. */
const OWNERS = { account: 'ARRAY[$1::bigint]', user: 'ARRAY[$2::text]', devices: '$3::bigint[]' } as const

/** `FROM` the rows of the table, as `x`, with `row_id`. */
export function rowsOf({ table, of, column, rows = 'true' }: PersonalTable, more = 'true'): string {
  return `unnest(${OWNERS[of]}) AS o (owner) CROSS JOIN LATERAL (
    SELECT x.ctid AS row_id, x.* FROM ${table} x WHERE x.${column} = o.owner AND (${rows}) AND (${more}) OFFSET 0) x`
}

const ITS_MEMBERSHIPS = 'unnest($3::bigint[]) AS d (id) CROSS JOIN LATERAL'

const CLIENT = '(SELECT d.client_uri FROM device d WHERE d.id = x.device_id)'
const GROUP = '(SELECT g.group_id FROM groups g WHERE g.gid = x.gid)'

/** The client URI of `x.device_id`, and the id of the group `x.gid`. */
export const client = { client: CLIENT }
export const group = { group_id: bytes(GROUP) }

/** Groups in which the account has, or had, a device: of no other does its user learn by the export. */
export const WAS_IN = `EXISTS (SELECT FROM ${ITS_MEMBERSHIPS} (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = x.gid LIMIT 1 OFFSET 0) m)`
/** Groups in which the account has a device now: how much goes on in them it may know. */
export const IS_IN = `EXISTS (SELECT FROM ${ITS_MEMBERSHIPS} (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = x.gid AND m.until_seq IS NULL LIMIT 1 OFFSET 0) m)`
/** Those of its groups that the rows are of, for tables without an index by user. */
export const IN_ITS_GROUPS = `x.gid = ANY (ARRAY(SELECT m.gid FROM ${ITS_MEMBERSHIPS} (SELECT m.gid FROM member m WHERE m.device_id = d.id OFFSET 0) m))`
