import { afterEach, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findEmbeddedPostgres } from '../../src/app/embedded/embedded-postgres.js'
import { eventually } from '../support/eventually.js'
import { spawnServer, type SpawnedServer } from '../support/server.js'

const cliFile = join(import.meta.dirname, '../../dist/cli.js')
let folder: string | undefined
let server: SpawnedServer | undefined
afterEach(async () => {
  await server?.stop('SIGKILL')
  if (folder) await rm(folder, { recursive: true, force: true })
})

/** Starts a server like `npm start` on a machine without anything else. */
async function startEmbedded(DATA_DIR: string): Promise<SpawnedServer> {
  server = await spawnServer('', { DATA_DIR, SERVER_SECRET: '' })
  return server
}

it('needs no settings: database and secret are made once, found again, and nothing is left running', async () => {
  const DATA_DIR = (folder = await mkdtemp(join(process.env['TEST_RUN_FOLDER'] ?? tmpdir(), 'process-')))
  const first = await startEmbedded(DATA_DIR)
  const jwks = await (await fetch(`${first.url}/.well-known/jwks.json`)).json()
  const { mode } = await stat(join(DATA_DIR, 'server-secret'))
  expect(mode & 0o777).toBe(0o600)

  // The operator's tool works while the server runs.
  const { stdout } = await promisify(execFile)(process.execPath, [cliFile, 'invites', 'create'], {
    env: { PATH: process.env['PATH'], DATA_DIR },
  })
  expect(stdout.length).toBeGreaterThan(10)

  expect(await first.stop('SIGINT')).toBe(0)
  expect(await findEmbeddedPostgres({ DATA_DIR })).toBeUndefined()

  const second = await startEmbedded(DATA_DIR)
  expect(await (await fetch(`${second.url}/.well-known/jwks.json`)).json()).toEqual(jwks)

  // Twice: someone does not want to wait.
  process.kill(second.pid, 'SIGINT')
  await second.stop('SIGINT')
  expect(await findEmbeddedPostgres({ DATA_DIR })).toBeUndefined()
})

it('leaves no PostgreSQL behind when it is killed', async () => {
  const DATA_DIR = (folder = await mkdtemp(join(process.env['TEST_RUN_FOLDER'] ?? tmpdir(), 'process-')))
  const killed = await startEmbedded(DATA_DIR)
  await killed.stop('SIGKILL')
  await eventually(
    () => findEmbeddedPostgres({ DATA_DIR }),
    (url) => url === undefined,
  )
})
