import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from '@jest/globals'
import { Client } from 'pg'
import { eventually } from './eventually.js'
import { freePort } from './free-port.js'

/** It refuses to run as root. */
const NOBODY = 65_534

/** PGBOUNCER, or one on the PATH or where Debian puts it, which is not on everybody's PATH. */
const found = [process.env['PGBOUNCER'], 'pgbouncer', '/usr/sbin/pgbouncer']
  .filter((program) => program !== undefined)
  .map((program) => ({ program, version: versionOf(program) }))
  .find(({ version }) => version !== undefined)

/** Skipped, by name, where there is no pgbouncer. */
export const describeWithPgbouncer = found ? describe : describe.skip
/** Named statements through transaction mode need 1.21. */
const tracksStatements = (found?.version ?? 0) >= 1.21
export const describeWithTrackingPgbouncer = tracksStatements ? describe : describe.skip

export interface TestPgbouncer {
  /** The given address, through the pooler. */
  url: string
  /** What an operator sees: `SHOW POOLS` and its like. */
  show(what: string): Promise<Record<string, unknown>[]>
  /** Ends it at once and starts it again on the same port. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface PgbouncerOptions {
  /** Server connections of the pool. */
  size: number
  /** max_prepared_statements, for those that know it; 0 tracks none. */
  prepared?: number
}

/** A pgbouncer in transaction mode on a free port, in front of the PostgreSQL at this address. */
export async function startPgbouncer(databaseUrl: string, options: PgbouncerOptions): Promise<TestPgbouncer> {
  if (!found) throw new Error('There is no pgbouncer')
  const folder = await mkdtemp(join(process.env['TEST_RUN_FOLDER'] ?? tmpdir(), 'pgbouncer-'))
  const port = await freePort()
  const target = new URL(databaseUrl)
  const files = { 'pgbouncer.ini': settings(target, folder, port, options), 'users.txt': users(target) }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  if (process.getuid?.() === 0) for (const path of ['', ...Object.keys(files)]) await chown(join(folder, path), NOBODY, NOBODY)
  const url = Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(port) }).href
  const admin = Object.assign(new URL(url), { pathname: '/pgbouncer' }).href
  let pooler = await run(found.program, folder, admin)
  return {
    url,
    show: async (what) => withAdmin(admin, async (client) => (await client.query(`SHOW ${what}`)).rows),
    restart: async () => {
      await end(pooler)
      pooler = await run(found.program, folder, admin)
    },
    stop: () => end(pooler),
  }
}

function settings(target: URL, folder: string, port: number, { size, prepared = 0 }: PgbouncerOptions): string {
  return [
    '[databases]',
    `* = host=${target.hostname} port=${target.port || '5432'}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${join(folder, 'users.txt')}`,
    `admin_users = ${decodeURIComponent(target.username)}`,
    'pool_mode = transaction',
    `default_pool_size = ${size}`,
    'max_client_conn = 200',
    `logfile = ${join(folder, 'pgbouncer.log')}`,
    ...(tracksStatements ? [`max_prepared_statements = ${prepared}`] : []),
    '',
  ].join('\n')
}

/** The password in plain text: pgbouncer has to log in with it as well. */
function users({ username, password }: URL): string {
  return `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`
}

async function run(program: string, folder: string, admin: string): Promise<ChildProcess> {
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const child = spawn(program, ['-q', join(folder, 'pgbouncer.ini')], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], ...identity })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const answers = async () => (child.exitCode !== null ? complaint : await withAdmin(admin, async () => 'ready').catch(() => 'silent'))
  const state = await eventually(answers, (seen) => seen !== 'silent')
  if (state !== 'ready') throw new Error(`pgbouncer ended at once: ${state}`)
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function withAdmin<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** `PgBouncer 1.18.0` → 1.18 */
function versionOf(program: string): number | undefined {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  const version = /PgBouncer (\d+)\.(\d+)/.exec(status === 0 ? stdout : '')
  return version ? Number(version[1]) + Number(version[2]) / 100 : undefined
}
