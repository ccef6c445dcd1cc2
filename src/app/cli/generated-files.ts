import { parseArgs } from 'node:util'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { stringify } from 'yaml'
import { authorityPage } from '../../groups/authority/authority-page.js'
import { configurationPage } from '../../platform/config/config-page.js'
import { migrate } from '../../platform/postgres/migrate.js'
import { describeSqlTables, SQL_OWNED, tablesOfClient } from '../../platform/postgres/prisma-models.js'
import { describeSchema } from '../../platform/postgres/schema-dump.js'
import { createPool, type Sql } from '../../platform/postgres/sql.js'
import { limitsPage } from '../limits/limits-page.js'
import { type Command, CliError, print } from './command.js'

/** The same relative to src/app/cli and to dist/app/cli. */
const PRISMA_FOLDER = new URL('../../../prisma/', import.meta.url)

/** The commands that write pages of docs/ from the sources. */
export const pageCommands: readonly Command[] = [
  writing('config-docs', 'docs/configuration.md', configurationPage),
  writing('errors-docs', 'docs/errors.md', async () => (await import('../openapi/errors-page.js')).errorsPage()),
  writing('limits-docs', 'docs/limits.md', limitsPage),
  writing('authority-docs', 'docs/authority.md', authorityPage),
]

function writing(name: string, path: string, page: () => string | Promise<string>): Command {
  return {
    name,
    usage: `[--check]          Write ${path}, or fail if it differs.`,
    async run(args) {
      const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
      await writeOrCheck(path, await page(), values.check)
    },
  }
}

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

export const openapi: Command = {
  name: 'openapi',
  usage: '[--check]              Write openapi.yaml, or fail if it differs. Needs no database.',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
    await writeOrCheck('openapi.yaml', await openapiYaml(), values.check)
  },
}

/** In preview, Nest reads the decorators and constructs nothing. Loaded on demand: other commands start faster without. */
export async function openapiYaml(): Promise<string> {
  const { AppModule } = await import('../app.module.js')
  const { describeApi } = await import('../openapi/document.js')
  const app = await NestFactory.create(AppModule, new FastifyAdapter(), { preview: true, logger: ['error'], abortOnError: false })
  return stringify(sorted(describeApi(app)), { aliasDuplicateObjects: false, lineWidth: 120 })
}

/** Paths and schemas in one order, whatever the order of the modules. Keys within them keep theirs. */
function sorted<T extends { paths: object; components?: { schemas?: object } }>(document: T): T {
  const schemas = byKey(document.components?.schemas ?? {})
  return { ...document, paths: byKey(document.paths), components: { ...document.components, schemas } }
}

function byKey<T extends object>(members: T): T {
  return Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1))) as T
}

/** A file of the repository that is made from the sources. From src/app/cli as well as from dist/app/cli. */
export async function writeOrCheck(path: string, text: string, check: boolean): Promise<void> {
  const file = fileURLToPath(new URL(`../../../${path}`, import.meta.url))
  if (!check) {
    await writeFile(file, text)
    return print(`${path} written`)
  }
  const found = await readFile(file, 'utf8').catch(() => '')
  if (found !== text) throw new CliError(`${path} does not say what the sources say. ${firstDifference(found, text)}`)
  print(`${path} is up to date`)
}

function firstDifference(found: string, expected: string): string {
  const [a, b] = [found.split('\n'), expected.split('\n')]
  const line = b.findIndex((text, index) => text !== a[index])
  return `First difference in line ${(line === -1 ? b.length : line) + 1}: "${a[line] ?? ''}", expected "${b[line] ?? ''}".`
}
