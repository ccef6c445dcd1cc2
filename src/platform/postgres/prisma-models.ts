import type { Sql } from './sql.js'

/** Begins the part of prisma/schema.prisma that is written here. */
export const SQL_OWNED = '// ---- Tables that SQL owns'

const HEADING = `${SQL_OWNED} ----
// Written by \`npm run cli -- schema-dump\` from a migrated database, with the comments of prisma/migrations. For reading: Prisma's client does not
// have these tables (\`@@ignore\`), and its commands leave them alone (prisma.config.ts). Foreign keys, checks, indexes and partitions are in schema.sql.`

interface Column {
  table: string
  name: string
  type: string
  required: boolean
  identity: boolean
  default: string | null
  /** Place in the primary key, from 1. */
  key: number | null
}

/** A type of PostgreSQL, without a length: what Prisma calls it. */
const TYPES: Record<string, string> = {
  bigint: 'BigInt',
  boolean: 'Boolean',
  bytea: 'Bytes',
  'double precision': 'Float',
  integer: 'Int',
  jsonb: 'Json',
  smallint: 'Int @db.SmallInt',
  text: 'String',
  'timestamp with time zone': 'DateTime @db.Timestamptz(6)',
  'timestamp(6) with time zone': 'DateTime @db.Timestamptz(6)',
  uuid: 'String @db.Uuid',
}

/**
 * The models of the tables that Prisma's client does not know, in Prisma's schema language, behind a heading.
 * @param known names of tables that have a model of their own
 * @param migrations the SQL of all migrations: its comments go into the models
 */
export async function describeSqlTables(sql: Sql, known: ReadonlySet<string>, migrations: string): Promise<string> {
  const { rows } = await sql.query<Column>(COLUMNS)
  const tables = Map.groupBy(
    rows.filter(({ table }) => !known.has(table)),
    ({ table }) => table,
  )
  const models = [...tables].map(([table, columns]) => model(table, columns, commentsOf(table, migrations)))
  return `${[HEADING, ...models].join('\n\n')}\n`
}

/** The tables for which `schema` has a model that the client knows. */
export function tablesOfClient(schema: string): Set<string> {
  const models = [...schema.matchAll(/^model \w+ \{\n([\s\S]*?)^\}/gm)].map((match) => match[1] ?? '')
  const mapped = models.filter((body) => !body.includes('@@ignore')).map((body) => /@@map\("(\w+)"\)/.exec(body)?.[1])
  return new Set(mapped.filter((table) => table !== undefined))
}

interface Comments {
  table: string[]
  columns: Map<string, string>
}

/** What stands above a table in its migration, and behind its columns. */
function commentsOf(table: string, migrations: string): Comments {
  const found = new RegExp(`((?:^--.*\\n)*)^CREATE (?:UNLOGGED )?TABLE "?${table}"? \\(\\n([\\s\\S]*?)^\\)`, 'm').exec(migrations)
  const [above = '', body = ''] = found?.slice(1) ?? []
  const columns = [...body.matchAll(/^ +"?(\w+)"? .*? -- (.*)$/gm)].map((match) => [match[1] ?? '', match[2] ?? ''] as const)
  return { table: above.split('\n').flatMap((line) => line.replace(/^-- ?/, '') || []), columns: new Map(columns) }
}

function model(table: string, columns: readonly Column[], comments: Comments): string {
  const key = columns.filter((column) => column.key !== null).sort((a, b) => (a.key ?? 0) - (b.key ?? 0))
  const fields = align(columns.map((column) => field(column, key.length === 1, comments.columns.get(column.name))))
  const keys = key.length > 1 ? [`@@id([${key.map(({ name }) => camelCase(name)).join(', ')}])`] : []
  const lines = [...fields, '', ...keys, `@@map("${table}")`, '@@ignore'].map((line) => (line ? `  ${line}` : ''))
  return [...comments.table.map((line) => `/// ${line}`), `model ${pascalCase(table)} {`, ...lines, '}'].join('\n')
}

/** @returns name, type, and attributes with the comment */
function field(column: Column, isWholeKey: boolean, comment: string | undefined): [string, string, string] {
  const name = camelCase(column.name)
  const isList = column.type.endsWith('[]')
  const [type = '', native] = (TYPES[column.type.replace('[]', '')] ?? `Unsupported("${column.type}")`).split(' ')
  const shape = isList ? `${type}[]` : column.required ? type : `${type}?`
  const attributes = [
    column.key !== null && isWholeKey && '@id',
    defaultOf(column),
    name !== column.name && `@map("${column.name}")`,
    native,
    comment && `/// ${comment}`,
  ]
  return [name, shape, attributes.filter(Boolean).join(' ')]
}

function align(fields: readonly [string, string, string][]): string[] {
  const [names, types] = [Math.max(...fields.map(([name]) => name.length)), Math.max(...fields.map(([, type]) => type.length))]
  return fields.map(([name, type, attributes]) => `${name.padEnd(names)} ${type.padEnd(types)} ${attributes}`.trimEnd())
}

function defaultOf({ identity, default: value, type }: Column): string | undefined {
  if (identity) return '@default(autoincrement())'
  if (value === null) return undefined
  if (value === 'now()') return '@default(now())'
  if (/^(-?\d+|true|false)$/.test(value) && TYPES[type] !== undefined) return `@default(${value})`
  return `@default(dbgenerated(${JSON.stringify(value)}))`
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}

function pascalCase(name: string): string {
  return camelCase(`_${name}`)
}

const COLUMNS = `
  SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
         a.attidentity <> '' AS identity, pg_get_expr(d.adbin, d.adrelid) AS default, array_position(k.conkey, a.attnum) AS key
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> '_prisma_migrations'
   ORDER BY c.relname COLLATE "C", a.attnum`
