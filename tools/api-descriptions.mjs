/**
 * `node tools/api-descriptions.mjs`: lints openapi.yaml and docs/asyncapi.yaml. Two readers, because each overlooks what the other finds:
 * the JSON Schema of the specification itself, and Redocly's rules, of which not one may have anything to say. Needs no network.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createConfig, lint } from '@redocly/openapi-core'
import { Validator } from '@seriousme/openapi-schema-validator'

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

const findings = [...(await specification()), ...(await redocly(OPENAPI)), ...(await redocly(ASYNCAPI))]
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
