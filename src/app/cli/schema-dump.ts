import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { migrate } from '../../platform/postgres/migrate.js'
import { describeSchema } from '../../platform/postgres/schema-dump.js'
import { createPool, type Sql } from '../../platform/postgres/sql.js'
import type { Command } from './command.js'
import { writeOrCheck } from './generated-file.js'

export const schemaDump: Command = {
  name: 'schema-dump',
  usage: '[--check]         Write prisma/schema.sql from a fresh database, or fail if it differs.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
    await writeOrCheck('prisma/schema.sql', await withFreshDatabase(describeSchema), values.check)
  },
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
