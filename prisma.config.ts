import { defineConfig } from 'prisma/config'

// Prisma's native engine would have to be downloaded; this one is the same engine, compiled to WebAssembly, from the registry.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= new URL('./tools/schema-engine.mjs', import.meta.url).pathname

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DIRECT_DATABASE_URL ?? process.env.DATABASE_URL ?? 'postgresql://localhost/microchat' },
})
