/**
 * `node tools/api-descriptions.mjs`: lints openapi.yaml and docs/asyncapi.yaml. Two readers, because each overlooks what the other finds:
 * the JSON Schema of the specification itself, and Redocly's rules, of which not one may have anything to say. Then what is valid but
 * not taken by generators of clients (`npm run generated-clients` runs them; this needs neither their tools nor a network).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createConfig, lint } from '@redocly/openapi-core'
import { Validator } from '@seriousme/openapi-schema-validator'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '..')
const OPENAPI = join(root, 'openapi.yaml')
const ASYNCAPI = join(root, 'docs/asyncapi.yaml')

const RULES = {
  // In the file the server is the one of `npm start`; a running one names itself.
  'no-server-example.com': 'off',
  'operation-description': 'error',
  'operation-singular-tag': 'error',
  'operation-tag-defined': 'error',
  'tag-description': 'error',
  'no-unused-components': 'error',
}

const findings = [...(await specification()), ...(await redocly(OPENAPI)), ...(await redocly(ASYNCAPI)), ...generators()]
for (const finding of findings) console.error(finding)
console.log(`${findings.length} findings`)
process.exitCode = findings.length > 0 ? 1 : 0

async function specification() {
  const { valid, errors } = await new Validator().validate(readFileSync(OPENAPI, 'utf8'))
  return valid ? [] : [errors].flat().map((error) => `openapi.yaml: ${typeof error === 'string' ? error : JSON.stringify(error)}`)
}

async function redocly(ref) {
  const config = await createConfig({ extends: ['recommended-strict'], rules: RULES })
  const problems = await lint({ ref, config })
  return problems.map(({ ruleId, message, location: [at] }) => `${ref.slice(root.length + 1)} ${at?.pointer ?? ''}: ${message} [${ruleId}]`)
}

function generators() {
  const { components } = parse(readFileSync(OPENAPI, 'utf8'))
  const findings = []
  const add = (text, rule) => findings.push(`openapi.yaml ${text} [${rule}]`)
  for (const name of Object.keys(components.responses)) {
    if (components.schemas[name]) add(`#/components/responses/${name}: a schema has this name, and both become a type`, 'one-name-one-type')
  }
  visit(components.schemas, '#/components/schemas', (schema, pointer) => {
    const values = schema.enum ?? [schema.const]
    if (schema.type === 'number' && values.every(Number.isInteger)) add(`${pointer}: integers are of type integer`, 'integer-constants')
    if (schema.type === 'object' && typeof schema.default === 'object') add(`${pointer}: the default of an object`, 'no-object-default')
  })
  return findings
}

function visit(node, pointer, see) {
  if (typeof node !== 'object' || node === null) return
  see(node, pointer)
  for (const [key, value] of Object.entries(node)) visit(value, `${pointer}/${key}`, see)
}
