import { parseArgs } from 'node:util'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { stringify } from 'yaml'
import type { Command } from './command.js'
import { writeOrCheck } from './generated-file.js'

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
