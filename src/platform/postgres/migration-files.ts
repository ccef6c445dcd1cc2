import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** A migration of the tables, or a file of SQL functions. */
export interface SqlFile {
  name: string
  sql: string
  /** SHA-256 of the file in hex, as Prisma records it. */
  checksum: string
}

/** The migrations of a folder laid out by Prisma (`<name>/migration.sql`), in the order of their names. */
export async function readMigrations(folder: string): Promise<SqlFile[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return Promise.all(names.sort().map((name) => readSqlFile(name, join(folder, name, 'migration.sql'))))
}

/** `<name>.sql` of a folder, in the order of their names. */
export async function readFunctionFiles(folder: string): Promise<SqlFile[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql'))
  return Promise.all(files.sort().map((file) => readSqlFile(file.slice(0, -'.sql'.length), join(folder, file))))
}

async function readSqlFile(name: string, path: string): Promise<SqlFile> {
  const sql = await readFile(path, 'utf8')
  return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
}
