import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'prisma/config'

// Prisma's native engine would have to be downloaded; this one is the same engine, compiled to WebAssembly, from the registry.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= fileURLToPath(new URL('tools/schema-engine.mjs', import.meta.url))

const migrations = new URL('prisma/migrations/', import.meta.url)

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DIRECT_DATABASE_URL ?? process.env.DATABASE_URL ?? 'postgresql://localhost/microchat' },
  experimental: { externalTables: true },
  tables: { external: externalTables() },
})

/** Every table that a migration makes and SQL owns. Were they not listed, `migrate dev` would write DROPs and ALTERs for them. */
function externalTables(): string[] {
  const scripts = readdirSync(migrations, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => readFileSync(new URL(`${entry.name}/migration.sql`, migrations), 'utf8'))
  const created = scripts.flatMap((sql) =>
    [...sql.matchAll(/CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?"?(\w+)"?/gi)].map((match) => match[1] ?? ''),
  )
  const schema = readFileSync(new URL('prisma/schema.prisma', import.meta.url), 'utf8')
  const models = [...schema.matchAll(/^model \w+ \{\n([\s\S]*?)^\}/gm)].map((match) => match[1] ?? '')
  const owned = models.filter((body) => !body.includes('@@ignore'))
  const known = new Set(owned.map((body) => /@@map\("(\w+)"\)/.exec(body)?.[1]))
  const partitions = Array.from({ length: 16 }, (_, part) => `log_${part}`)
  return [...created, ...partitions].filter((table) => !known.has(table)).map((table) => `public.${table}`)
}
