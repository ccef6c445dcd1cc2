import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

/**
 * The rules that keep ts-mls to framing, tried on a tree of a few files with wrong imports: a rule that refused nothing would not be
 * noticed in a tree without faults.
 */
const root = process.cwd()
const CONFIGURATION = ['.dependency-cruiser.cjs', '.oxlintrc.json', 'package.json', 'tsconfig.json']
const FRAMING = 'src/protocol/mls/framing.ts'
const ALLOWED = ['codec/number', 'codec/tlsDecoder', 'codec/variableLength', 'contentType', 'protocolVersion', 'sender', 'wireformat']
const FORBIDDEN = [
  'index',
  'message',
  'privateMessage',
  'welcome',
  'groupSecrets',
  'crypto/kdf',
  'crypto/hpke',
  'clientState',
  'codec/tlsEncoder',
]
const specifierOf = (module: string) => (module === 'index' ? 'ts-mls' : `ts-mls/${module}.js`)

const importing = (names: string, from: string) => `import ${names} from '${from}'\n`
const star = (module: string, index: number) => importing(`* as module${index}`, specifierOf(module))
const STRICT = importing('{ decodeMessage }', '../../protocol/mls/message.js')

const FILES: Readonly<Record<string, string>> = {
  'src/protocol/mls/message.ts': 'export type MlsMessage = string\nexport const decodeMessage = 1\n',
  [FRAMING]: [...FORBIDDEN.map(star), importing('{ decodeSender, expandSenderDataKey }', 'ts-mls/sender.js')].join(''),
  // The same file in another tree would be checked as framing.ts is; here are the imports that it may have.
  'clean/src/protocol/mls/framing.ts': ALLOWED.map((module, index) =>
    module === 'sender' ? importing('{ decodeSender }', specifierOf(module)) : star(module, index),
  ).join(''),
  'src/protocol/mls/other.ts': importing('{ decodeSender }', 'ts-mls/sender.js'),
  'src/groups/commit/dynamic.ts': "export const used = () => import('ts-mls')\n",
  'src/platform/http/incoming-message.ts': `${STRICT}${importing('{ decodeWireformat }', 'ts-mls/wireformat.js')}`,
  'src/groups/commit/commit.ts': STRICT,
  'src/federation/hub/hub.ts': STRICT,
  'src/key-packages/upload/upload.ts': STRICT,
  'src/groups/state/stored-epochs.ts': STRICT,
  'src/groups/commit/typed.ts': STRICT.replace('{ decodeMessage }', 'type { MlsMessage }'),
}

let tree = ''
/** What dependency-cruiser refuses, as `rule: file → module`, and oxlint, as `file: module`. */
let layers: string[] = []
let lint: string[] = []
beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'imports-'))
  for (const [file, text] of Object.entries(FILES)) await place(file, text)
  for (const folder of ['', 'clean']) {
    await Promise.all(CONFIGURATION.map((file) => copyFile(join(root, file), join(tree, folder, file))))
    await symlink(join(root, 'node_modules'), join(tree, folder, 'node_modules'))
  }
  layers = await cruised('')
  lint = await linted('')
})
afterAll(() => rm(tree, { recursive: true, force: true }))

async function place(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(tree, file)), { recursive: true })
  await writeFile(join(tree, file), text)
}

async function run(folder: string, program: string, ...args: readonly string[]): Promise<unknown> {
  const output = await new Promise<string>((resolve) => {
    const script = join(root, 'node_modules', program)
    execFile(process.execPath, [script, ...args], { cwd: join(tree, folder), maxBuffer: 2 ** 24 }, (_error, stdout) => resolve(stdout))
  })
  return JSON.parse(output)
}

async function cruised(folder: string): Promise<string[]> {
  const program = 'dependency-cruiser/bin/dependency-cruiser.mjs'
  const args = ['--config', '.dependency-cruiser.cjs', '--preserve-symlinks', '--output-type', 'json', 'src']
  const { summary } = (await run(folder, program, ...args)) as {
    summary: { totalCruised: number; violations: { rule: { name: string }; from: string; to: string }[] }
  }
  expect(summary.totalCruised).toBeGreaterThan(ALLOWED.length)
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to.replace('node_modules/ts-mls/dist/src/', 'ts-mls/')}`)
}

async function linted(folder: string): Promise<string[]> {
  const { diagnostics, number_of_files } = (await run(folder, 'oxlint/bin/oxlint', '--format', 'json', 'src')) as {
    diagnostics: { code: string; filename: string; message: string }[]
    number_of_files: number
  }
  expect(number_of_files).toBeGreaterThan(0)
  return diagnostics
    .filter(({ code }) => code.includes('no-restricted-imports'))
    .map(({ filename, message }) => `${filename}: ${/'(?:\w+' import from ')?([^']+)'/.exec(message)?.[1]}`)
}

describe('of ts-mls', () => {
  it('framing.ts may import the decoders of single fields', async () => {
    expect(await cruised('clean')).toEqual([])
    expect(await linted('clean')).toEqual([])
  })

  it.each(FORBIDDEN)('framing.ts may not import %s', (module) => {
    expect(layers).toContain(`ts-mls-reads-framing-only: ${FRAMING} → ts-mls/${module}.js`)
    expect(lint).toContain(`${FRAMING}: ${specifierOf(module)}`)
  })

  it('[I9] framing.ts may not import what derives keys, from a module that it may import', () => {
    expect(lint).toContain(`${FRAMING}: ts-mls/sender.js`)
  })

  it('[I9] no other file may import anything, nor load it later', () => {
    expect(layers).toContain('ts-mls-in-one-file: src/protocol/mls/other.ts → ts-mls/sender.js')
    expect(layers).toContain('ts-mls-in-one-file: src/platform/http/incoming-message.ts → ts-mls/wireformat.js')
    expect(layers).toContain('ts-mls-in-one-file: src/groups/commit/dynamic.ts → ts-mls/index.js')
    expect(lint).toContain('src/protocol/mls/other.ts: ts-mls/sender.js')
  })
})

it('the strict reader alone is not for files where messages come in; it is for what is stored, and its types are for all', () => {
  const alone = layers.filter((violation) => violation.startsWith('what-comes-in-has-two-readers'))
  const files = ['src/federation/hub/hub.ts', 'src/groups/commit/commit.ts', 'src/key-packages/upload/upload.ts']
  expect(alone.toSorted()).toEqual(files.map((file) => `what-comes-in-has-two-readers: ${file} → src/protocol/mls/message.ts`))
})
