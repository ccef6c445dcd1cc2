import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { DEVICE_LOGIN_LABEL, deviceLoginContent } from '../../src/protocol/device-login.js'
import { verifyWithLabel } from '../../src/protocol/mls/signature.js'
import { startServer, type TestServer } from '../support/server.js'
import { ROOT, runBlocks, runProcess, shellBlocks, type ShellRun } from './shell-blocks.js'

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/** Skipped by name where one of its programs is absent, or curl is older than `--json`. */
const hasTools =
  ['bash', 'openssl', 'jq'].every((name) => spawnSync(name, ['--version']).error === undefined) &&
  spawnSync('curl', ['--help', 'all'], { encoding: 'utf8' }).stdout?.includes('--json')
const describeWithCurl = hasTools ? describe : describe.skip

/** Below the run's own folder, and open to the user as whom PostgreSQL runs. */
function newFolder(): string {
  const folder = mkdtempSync(join(process.env['TEST_RUN_FOLDER']!, 'commands-'))
  chmodSync(folder, 0o755)
  return folder
}

const PROBLEM = /urn:microchat:problem:[a-z-]+/g
const problemsIn = (text: string) => [...new Set(text.match(PROBLEM) ?? [])]

describeWithCurl('the commands of docs/api-tour.md, with curl, openssl and jq', () => {
  /** The one place where the page names the server. */
  const SERVER = 'S=http://127.0.0.1:8080'
  const blocks = shellBlocks(read('docs/api-tour.md'))
  const folder = newFolder()
  const before = readdirSync(ROOT)
  let server: TestServer
  let run: ShellRun
  beforeAll(async () => {
    server = await startServer()
    run = await runBlocks(
      blocks.map((block) => block.replace(SERVER, `S=${server.url}`)),
      folder,
    )
  })
  afterAll(() => server?.close())

  it('name the server in one place', () => {
    expect(blocks.length).toBeGreaterThan(5)
    expect(read('docs/api-tour.md').split('127.0.0.1:8080')).toHaveLength(2)
    expect(blocks[0]).toContain(SERVER)
  })

  it('succeed, each of them, in order and in one shell', () => {
    expect(run.errors).toBe('')
    expect(run.code).toBe(0)
    expect(run.blocks).toHaveLength(blocks.length)
  })

  it('print the problems that the page shows, and no others', () => {
    expect(run.blocks.map(({ output }) => problemsIn(output))).toEqual(blocks.map(problemsIn))
    expect(run.blocks.flatMap(({ files }) => problemsIn(files))).toEqual([])
  })

  it('get the tokens and answers that they promise', () => {
    const shown = run.blocks.map(({ output }) => output).join('')
    for (const member of ['"signature_keys"', '"cipher_suites"', '"inbox"']) expect(shown).toContain(member)
    expect(run.blocks.filter(({ files }) => files.includes('"access_token"')).length).toBeGreaterThan(3)
  })

  it('leave nothing behind', () => {
    expect(readdirSync(folder)).toEqual([])
    expect(readdirSync(ROOT)).toEqual(before)
  })
})

describe('the login proof that docs/api-tour.md spells out in Python', () => {
  const page = read('docs/api-tour.md')
  const [, program = ''] = /^```python\n([\s\S]*?)^```$/m.exec(page) ?? []
  const login = {
    domain: 'example.com',
    client: 'mimi://example.com/d/alice/phone',
    nonce: Uint8Array.from({ length: 32 }, (_, index) => index),
    expiresAt: 1_700_000_000n,
  }
  const [, signature = ''] = /proof = \(([^)]*)\)/.exec(program) ?? []

  it('is one that this server takes', async () => {
    const publicKey = Buffer.from('ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c', 'hex') // of 32 bytes 07
    const proof = Buffer.from(signature.replaceAll(/[^0-9a-f]/g, ''), 'hex')
    expect(await verifyWithLabel(0x0807, publicKey, DEVICE_LOGIN_LABEL, deviceLoginContent(login), proof)).toBe(true)
  })

  const hasPython = spawnSync('python3', ['--version']).status === 0
  const itWithPython = hasPython ? it : it.skip
  itWithPython('signs the bytes that it shows, run by python3', async () => {
    const print = `${program}\nprint(example.hex()[-172:])`
    const { code, output, errors } = await runProcess('python3', ['-c', print], newFolder())
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(output.trim()).toBe(Buffer.from(deviceLoginContent(login)).toString('hex'))
  })
})

/** Lines of a transcript that an output does not have, in their order. The names of each run's users are its own. */
function missingLines(transcript: readonly string[], output: string): readonly string[] {
  let found = 0
  for (const line of output.replaceAll(/-[0-9a-f]{6}\b/g, '').split('\n')) if (line === transcript[found]) found += 1
  return transcript.slice(found)
}

describe('the commands of README.md', () => {
  const blocks = shellBlocks(read('README.md'))
  const named = [...blocks.join('\n').matchAll(/\bnpm (?:run )?([a-z][a-z:-]*)/g)]
    .map(([, name]) => name ?? '')
    .filter((name) => name !== 'ci')
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

  /** What README.md shows of the first demo. */
  const [, shown = ''] = /^```text\n([\s\S]*?)^```$/m.exec(read('README.md')) ?? []
  const transcript = shown.trimEnd().split('\n')

  it('are scripts of package.json', () => {
    expect(transcript.length).toBeGreaterThan(10)
    expect(named).toEqual(expect.arrayContaining(['start', 'test', 'demo', 'demo:federation', 'demo:compose']))
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([])
  })

  // Not by npm: its script would build dist/ again, under the feet of other tests.
  it.each(['demo', 'demo:federation'])('end well: npm run %s', async (name) => {
    const file = /^node tools\/start\.mjs (examples\/\S+)$/.exec(scripts[name] ?? '')?.[1]
    const folder = newFolder()
    const { code, output } = await runProcess(process.execPath, [`dist/${file}`], folder)
    expect(output).toMatch(/decrypted/)
    if (name === 'demo') expect(missingLines(transcript, output)).toEqual([])
    expect(output).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m)
    expect(code).toBe(0)
    expect(readdirSync(folder)).toEqual([])
  })
})
