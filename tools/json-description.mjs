/**
 * `node tools/json-description.mjs FILE [--open] [--serde]`: writes openapi.yaml to FILE with JSON alone where there is JSON, for generators of clients that
 * cannot choose between types of one body (docs/interop.md). Bodies that are never JSON stay as they are.
 * With --open no object forbids other members: openapi-generator’s Java reads `additionalProperties: false` of OpenAPI 3.1 as a map of anything,
 * and then sends the map alone.
 * With --serde integers are not limited to listed values, which its Rust writes as text, and unions have no discriminator, which it takes
 * away before it reads the variant that has to have it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

const JSON_TYPES = ['application/json', 'application/problem+json']

const [target, ...flags] = process.argv.slice(2)
const open = flags.includes('--open')
const serde = flags.includes('--serde')
if (target === undefined) throw new Error('Say which file to write')
const description = parse(readFileSync(join(import.meta.dirname, '../openapi.yaml'), 'utf8'))
keepJson(description)
writeFileSync(target, stringify(description, { aliasDuplicateObjects: false }))

function keepJson(node) {
  if (typeof node !== 'object' || node === null) return
  const json = JSON_TYPES.find((type) => node.content?.[type])
  if (json !== undefined) node.content = { [json]: node.content[json] }
  if (open && node.additionalProperties === false) delete node.additionalProperties
  if (serde) delete node.discriminator
  if (serde && Number.isInteger(node.const ?? node.enum?.[0])) {
    node.type = 'integer'
    delete node.const
    delete node.enum
  }
  for (const value of Object.values(node)) keepJson(value)
}
