import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Type } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { Pool } from 'pg'
import type { DestinationStream } from 'pino'
import { createServer, listen } from '../../src/app/server.js'
import { drain } from '../../src/app/shutdown.js'
import { loadConfig, type Config } from '../../src/platform/config/config.js'
import { createLog } from '../../src/platform/observability/log.js'
import { POOL } from '../../src/platform/postgres/sql.js'
import { createTestDatabase, type TestDatabase } from './database.js'
import { watchAnswers } from './documented-answers.js'

/** Any will do; the same one for all, so that several servers can share a database. */
const TEST_SECRET = Buffer.alloc(32, 0x5e).toString('base64')

export interface TestServer {
  url: string
  wsUrl: string
  app: NestFastifyApplication
  pool: Pool
  config: Config
  close(): Promise<void>
}

export interface TestServerOptions {
  /** Share this database instead of making a new one; the caller drops it. */
  database?: TestDatabase
  /** Where log lines go; else nowhere. */
  log?: DestinationStream
  /** Replaces the AppModule: usually one that imports it and adds controllers. */
  root?: Type
  /** For suites that make the server answer what it never would by itself. */
  undocumented?: boolean
}

/** The environment of a server under test: quick to stop, silent, on a free port. */
export function testEnvironment(databaseUrl: string, overrides: Record<string, string> = {}): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    SERVER_SECRET: TEST_SECRET,
    PORT: '0',
    LOG_LEVEL: 'silent',
    // For tests that ask with a token alone; the example client shows a key, so its sessions are bound to that.
    ACCESS_TOKENS: 'bearer-allowed',
    SHUTDOWN_GRACE: '2s',
    // Compiling and importing in the same process is no overload.
    PRESSURE_DELAY: '60s',
    ANONYMOUS_PER_MINUTE: '1000000',
    REQUESTS_PER_DEVICE_PER_MINUTE: '1000000',
    PG_POOL_API: '6',
    ...overrides,
  }
}

/**
 * The whole server in this process, on a free port, against a database of its own.
 * @param overrides settings as in the environment, e.g. `{ REGISTRATION: 'closed' }`
 */
export async function startServer(overrides: Record<string, string> = {}, options: TestServerOptions = {}): Promise<TestServer> {
  const database = options.database ?? (await createTestDatabase())
  const environment = testEnvironment(database.url, { ...(options.log ? { LOG_LEVEL: 'info' } : {}), ...overrides })
  const config = loadConfig(environment)
  const log = createLog(config, options.log)
  const server = await createServer(config, log, options.root)
  const { app } = server
  const faults = options.undocumented ? [] : watchAnswers(app.getHttpAdapter().getInstance())
  const url = await listen(server, config)
  const close = async () => {
    await drain(server, config, log)
    if (!options.database) await database.drop()
    if (faults.length > 0) throw new Error(`Answers that openapi.yaml does not describe:\n${faults.join('\n')}`)
  }
  return { url, wsUrl: url.replace(/^http/, 'ws'), app, pool: app.get<Pool>(POOL), config, close }
}

export interface SpawnedServer {
  url: string
  wsUrl: string
  pid: number
  /** Everything it wrote to standard output so far. */
  output(): string
  /** @returns exit code, or null if the signal ended it */
  stop(signal: NodeJS.Signals): Promise<number | null>
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** dist/main.js (or that of another release) as a process of its own, for what only a process can do: die. Build first (`npm test` does). */
export async function spawnServer(databaseUrl: string, overrides: Record<string, string> = {}, main = MAIN): Promise<SpawnedServer> {
  const environment = { PATH: process.env['PATH'] ?? '', ...testEnvironment(databaseUrl, overrides) }
  const child = spawn(process.execPath, ['--enable-source-maps', main], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
  const output: string[] = []
  const url = await firstUrl(child, output)
  const stop = async (signal: NodeJS.Signals) => {
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve()
    child.kill(signal)
    await ended
    return child.exitCode
  }
  return { url, wsUrl: url.replace(/^http/, 'ws'), pid: child.pid ?? 0, output: () => output.join('\n'), stop }
}

/** The start-up line names the address. Keeps reading afterwards, so that the pipe never fills. */
function firstUrl(child: ChildProcess, output: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}\n${output.join('\n')}`)))
    if (!child.stdout) return reject(new Error('No output to read'))
    createInterface(child.stdout).on('line', (line) => {
      output.push(line)
      const url = /\bMicroChat is up\. HTTP (\S+)/.exec(line)?.[1]
      if (url) resolve(url)
    })
  })
}
