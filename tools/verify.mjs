/** `npm run verify`: every check that is not a test. All of them run, each says what it found, and the last line counts them. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { requireSupportedNode } from './node-version.mjs'

const root = join(import.meta.dirname, '..')

const STEPS = [
  { name: 'types', hint: 'tsc says where.', command: ['tsc', '--noEmit', '-p', 'tsconfig.json'] },
  { name: 'lint', hint: 'oxlint says where.', command: ['oxlint', '--deny-warnings'] },
  { name: 'format', hint: '"npm run format" fixes it.', command: ['prettier', '--check', '--log-level', 'warn', '.'] },
  {
    name: 'layers',
    hint: 'an import points up, see .dependency-cruiser.cjs.',
    command: ['depcruise', '--config', '.dependency-cruiser.cjs', 'src'],
  },
  { name: 'unused', hint: 'dead code or an unused dependency; knip says which.', command: ['knip', '--no-progress', '--no-config-hints'] },
  { name: 'lock', hint: '"node tools/complete-lock.mjs" fixes it.', command: ['node', 'tools/complete-lock.mjs', '--check'] },
  {
    name: 'manifests',
    hint: 'something under k8s/ is wrong; the name of the rule is in brackets.',
    command: ['node', 'tools/manifests.mjs'],
  },
  { name: 'openapi', hint: '"npm run cli -- openapi" writes it.', command: ['node', 'dist/cli.js', 'openapi', '--check'] },
  {
    name: 'errors',
    hint: '"npm run cli -- errors-docs" writes docs/errors.md.',
    command: ['node', 'dist/cli.js', 'errors-docs', '--check'],
  },
  {
    name: 'schema',
    hint: '"npm run cli -- schema-dump" writes prisma/schema.sql and schema.prisma.',
    command: ['node', 'dist/cli.js', 'schema-dump', '--check'],
  },
  {
    name: 'migrations',
    hint: 'a migration keeps a running server from writing; see CONTRIBUTING.md.',
    command: ['node', 'tools/migrations.mjs'],
  },
  {
    name: 'invariants',
    hint: '"node tools/invariants.mjs" writes docs/invariants.md.',
    command: ['node', 'tools/invariants.mjs', '--check'],
  },
  {
    name: 'descriptions',
    hint: 'openapi.yaml or docs/asyncapi.yaml is not as a generator expects it; the rule is in brackets.',
    command: ['node', 'tools/api-descriptions.mjs'],
  },
]

requireSupportedNode()
const { buildIfStale } = await import('./build.mjs')
await buildIfStale()

const failed = []
for (const step of STEPS) {
  const began = performance.now()
  const passed = await run(step.command)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(passed ? `✓ ${step.name} (${seconds} s)` : `✗ ${step.name} (${seconds} s): ${step.hint}`)
  if (!passed) failed.push(step.name)
}
if (failed.length > 0) console.log(`\nFailed: ${failed.join(', ')}`)
process.exitCode = failed.length > 0 ? 1 : 0
console.log(`${STEPS.length - failed.length} passed, ${failed.length} failed`)

/** Programs come from node_modules/.bin; what a passing one has to say is not interesting. */
async function run([program, ...args]) {
  const local = join(root, 'node_modules/.bin', process.platform === 'win32' ? `${program}.cmd` : program)
  const [file, ...rest] = program === 'node' ? [process.execPath, ...args] : [existsSync(local) ? local : program, ...args]
  const child = spawn(file, rest, { cwd: root, shell: process.platform === 'win32', stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve) => child.once('error', () => resolve(1)).once('close', resolve))
  if (code !== 0) console.log(`\n${output.trim()}\n`)
  return code === 0
}
