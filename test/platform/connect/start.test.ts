import { afterEach, describe, expect, it } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findPostmaster } from '../../../src/app/embedded/postmaster.js'
import { useTestDatabase } from '../../support/database.js'
import { eventually } from '../../support/eventually.js'
import { runMain } from '../../support/run-main.js'
import { spawnServer, testEnvironment } from '../../support/server.js'

const database = useTestDatabase()
const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url))
const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'microchat-start-'))
  undo.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** dist/main.js, to be ended while it starts. */
function startMain(environment: Record<string, string>) {
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env['PATH'], ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  undo.push(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { child, ended: once(child, 'exit'), output: () => output }
}

describe('another DOMAIN than the database', () => {
  it('stops the start with a sentence, and the right one starts', async () => {
    const first = await spawnServer(database.url, { DOMAIN: 'one.example' })
    await first.stop('SIGTERM')
    const { code, err, out } = await runMain(testEnvironment(database.url, { DOMAIN: 'two.example' }))
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('DOMAIN is two.example, but this database belongs to one.example')
    expect(err).not.toMatch(/\n +at /)
    const again = await spawnServer(database.url, { DOMAIN: 'one.example' })
    expect(await again.stop('SIGTERM')).toBe(0)
  })
})

describe('a misspelt setting', () => {
  it('is named in the log, without its value, and stops nothing', async () => {
    const server = await spawnServer(database.url, { DOMAIN: 'one.example', LOG_LEVEL: 'warn', TRUSTED_PROXY: 'hunter2' })
    await server.stop('SIGTERM')
    expect(server.output()).toContain('TRUSTED_PROXY is no setting. Is TRUST_PROXY meant?')
    expect(server.output()).not.toContain('hunter2')
  })
})

describe('LIMITS', () => {
  it('gives a limit another number', async () => {
    const small = await spawnServer(database.url, { LIMITS: 'address-operational-requests=1', DOMAIN: 'one.example' })
    const statuses = await Promise.all(Array.from({ length: 40 }, async () => (await fetch(`${small.url}/health/live`)).status))
    await small.stop('SIGTERM')
    // One a second, and ten times that at once.
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(10)
  })
  it('that names none stops the start with a sentence', async () => {
    const { code, err } = await runMain(testEnvironment(database.url, { DOMAIN: 'one.example', LIMITS: 'no-such-limit=1,login=2' }))
    expect(code).toBe(1)
    expect(err).toContain('LIMITS names no-such-limit, which does not exist')
    expect(err).toContain('LIMITS names login, which has its own setting: LOGINS_PER_MINUTE')
    expect(err).not.toMatch(/\n +at /)
    const malformed = await runMain(testEnvironment(database.url, { DOMAIN: 'one.example', LIMITS: 'tokens=0' }))
    expect([malformed.code, malformed.err]).toEqual([1, expect.stringContaining('LIMITS must be pairs')])
  })
})

describe('SIGTERM ends a start', () => {
  it('that waits for a PostgreSQL which accepts and says nothing', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    undo.push(() => silent.close())
    const url = `postgres://u:hunter2@127.0.0.1:${(silent.address() as AddressInfo).port}/x`
    const connected = once(silent, 'connection')
    const { child, ended, output } = startMain(testEnvironment(url, { LOG_LEVEL: 'info' }))
    await connected
    await eventually(
      async () => output(),
      (text) => text.includes('waiting for PostgreSQL'),
    )
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(output()).not.toContain('hunter2')
  })

  it('of the embedded PostgreSQL, and leaves none behind', async () => {
    const folder = await newFolder()
    const { child, ended, output } = startMain({ DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'info' })
    // The secret is written right before PostgreSQL is made.
    await eventually(
      async () => existsSync(join(folder, 'server-secret')),
      (made) => made,
    )
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(output()).not.toContain('MicroChat is up')
    await eventually(
      () => findPostmaster(join(folder, 'postgres')),
      (running) => running === undefined,
    )
  })
})

describe('the line that says where a server is', () => {
  it.each([
    ['json', (text: string) => (JSON.parse(text) as { msg: string }).msg],
    ['pretty', (text: string) => text],
  ] as const)('is in the form of LOG_FORMAT=%s, alone on its line, at any LOG_LEVEL', async (LOG_FORMAT, sentenceOf) => {
    const server = await spawnServer(database.url, { DOMAIN: 'one.example', LOG_FORMAT, LOG_LEVEL: 'silent' })
    await server.stop('SIGTERM')
    const form = /^MicroChat is up\. HTTP http:\S+ {2}WebSocket ws:\S+\/v1\/stream /
    expect(server.output().split('\n').map(sentenceOf)).toEqual([expect.stringMatching(form)])
  })
})

describe('a fault that is expected is one sentence', () => {
  it('DATA_DIR is a file', async () => {
    const file = join(await newFolder(), 'data')
    await writeFile(file, '')
    const { code, err } = await runMain({ DATA_DIR: file, PORT: '0', LOG_LEVEL: 'silent' })
    expect([code, err]).toEqual([1, `${file} is needed as a folder, and it or a part of it is a file (EEXIST). Check DATA_DIR.\n`])
  })
})
