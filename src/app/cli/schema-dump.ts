import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { migrate } from '../../platform/postgres/migrate.js'
import { describeSqlTables, SQL_OWNED, tablesOfClient } from '../../platform/postgres/prisma-models.js'
import { describeSchema } from '../../platform/postgres/schema-dump.js'
import { createPool, type Sql } from '../../platform/postgres/sql.js'
import type { Command } from './command.js'
import { writeOrCheck } from './generated-file.js'

/** From src/app/cli as well as from dist/app/cli. */
const PRISMA_FOLDER = new URL('../../../prisma/', import.meta.url)

export const schemaDump: Command = {
  name: 'schema-dump',
  usage:
    '[--check]         Write prisma/schema.sql and the SQL-owned tables of schema.prisma from a fresh database, or fail if they differ.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
    await withFreshDatabase(async (sql) => {
      await writeOrCheck('prisma/schema.sql', await describeSchema(sql), values.check)
      await writeOrCheck('prisma/schema.prisma', await prismaSchema(sql), values.check)
    })
  },
}

/** The file as it is, up to the tables that SQL owns, and these as they are in the database. */
async function prismaSchema(sql: Sql): Promise<string> {
  const [own = ''] = (await readFile(new URL('schema.prisma', PRISMA_FOLDER), 'utf8')).split(SQL_OWNED)
  const folders = (await readdir(new URL('migrations/', PRISMA_FOLDER), { withFileTypes: true })).filter((entry) => entry.isDirectory())
  const texts = folders.map(({ name }) => readFile(new URL(`migrations/${name}/migration.sql`, PRISMA_FOLDER), 'utf8'))
  const tables = await describeSqlTables(sql, tablesOfClient(own), (await Promise.all(texts)).join('\n'))
  return `${own.trimEnd()}\n\n${tables}`
}

/** A migrated database in a PostgreSQL of its own, which is gone afterwards: whatever DATABASE_URL says, nobody's data is touched. */
async function withFreshDatabase<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  const { startEmbeddedPostgres } = await import('../embedded/embedded-postgres.js')
  const folder = await mkdtemp(join(tmpdir(), 'microchat-schema-'))
  await chmod(folder, 0o755) // PostgreSQL runs as another user if this one is root
  try {
    const postgres = await startEmbeddedPostgres({ DATA_DIR: folder }, { settings: { fsync: 'off', shared_buffers: '16MB' } })
    try {
      await migrate(postgres.url)
      const pool = createPool(postgres.url, { max: 1, prepare: false })
      try {
        return await work(pool)
      } finally {
        await pool.end()
      }
    } finally {
      await postgres.stop()
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}
