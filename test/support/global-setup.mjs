import { spawn, spawnSync } from 'node:child_process'
import { access, chmod, constants, mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NEEDED_BYTES = 2 * 1024 ** 3

/**
 * Once per run: one PostgreSQL (TEST_DATABASE_URL, or an embedded one) and in it one template database with all migrations,
 * which test files clone (see database.ts). It runs from dist/, which tools/test.mjs has just built. What the workers must know travels in the environment.
 * Where TEST_SERVER_URL names a server that runs already, there is nothing to set up.
 */
export default async function setUp() {
  if (process.env['TEST_SERVER_URL']) return
  const folder = await createRunFolder()
  globalThis.runGuard = startGuard(folder)
  process.env['TEST_RUN_FOLDER'] = folder
  process.env['TEST_ADMIN_URL'] = process.env['TEST_DATABASE_URL'] ?? (await startPostgres(folder))
  process.env['TEST_TEMPLATE'] = await createTemplate(process.env['TEST_ADMIN_URL'])
  process.env['TEST_REDIS_SOURCE'] = await findRedis()
}

/** Where tests get a Redis from (see redis.ts). One of our own is preferred: it can be stopped and paused. */
async function findRedis() {
  if (process.env['TEST_REDIS_URL']) return 'url'
  if (spawnSync('redis-server', ['--version']).status === 0) return 'server'
  const { hasContainerEngine } = await import('./containers.ts')
  return (await hasContainerEngine()) ? 'container' : 'none'
}

async function createRunFolder() {
  const folder = await mkdtemp(join(await fastestFolder(), 'microchat-test-'))
  await chmod(folder, 0o755) // PostgreSQL runs as another user if we are root
  return folder
}

/** A clone of the template is 500 small files: 100 ms in memory, 500 ms on a disk. */
async function fastestFolder() {
  const memory = await statfs('/dev/shm').catch(() => undefined)
  const writable = await access('/dev/shm', constants.W_OK).then(
    () => true,
    () => false,
  )
  return memory && writable && memory.bavail * memory.bsize > NEEDED_BYTES ? '/dev/shm' : tmpdir()
}

function startGuard(folder) {
  // In a process group of its own: Ctrl-C must end the run, not its guard.
  const guard = spawn(process.execPath, [join(import.meta.dirname, 'run-guard.mjs'), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  guard.unref()
  guard.stdin.unref?.()
  return guard
}

/** No test survives a power cut, so nothing needs to reach the disk; killed processes lose nothing either way. */
async function startPostgres(folder) {
  const { startEmbeddedPostgres } = await import('../../dist/app/embedded/embedded-postgres.js')
  const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '300' }
  const postgres = await startEmbeddedPostgres({ DATA_DIR: join(folder, 'shared') }, { settings })
  globalThis.runPostgres = postgres
  return postgres.url
}

async function createTemplate(adminUrl) {
  const { migrate } = await import('../../dist/platform/postgres/migrate.js')
  const { default: pg } = await import('pg')
  const name = `microchat_template_${process.pid}`
  const admin = new pg.Client({ connectionString: adminUrl })
  await admin.connect()
  await admin.query(`DROP DATABASE IF EXISTS ${name}`)
  await admin.query(`CREATE DATABASE ${name}`)
  await admin.end()
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  await migrate(url.href)
  return name
}
