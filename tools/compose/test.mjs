/**
 * `npm run test:deployment [-- --keep]`: brings up docker-compose.yml beside whatever else runs here (names, ports, volumes and secrets of
 * its own), runs the scenario suite and the race through its proxy, then restarts parts of it under a conversation, and takes it down again.
 * With TEST_SERVER_URL (and TEST_SERVER_DOMAIN) only the suite runs, against the server that is there. Its rate limits must allow it.
 */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../test/support/free-port.ts'
import { GENEROUS } from '../../test/support/generous.ts'
import { Deployment, run } from './compose.mjs'

const SUITE = ['test/scenario', 'test/concurrency/race.test.ts']
const keep = process.argv.includes('--keep')
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => (interrupted = true))

process.exitCode = process.env.TEST_SERVER_URL ? await jest(SUITE, {}) : await testOwnDeployment()

async function testOwnDeployment() {
  const folder = mkdtempSync(join(tmpdir(), 'microchat-compose-'))
  const deployment = await describe(join(folder, '.env'))
  try {
    await deployment.compose('up', '-d', '--build')
    const trust = await deployment.up(join(folder, 'root.crt'))
    const server = { ...trust, TEST_SERVER_URL: deployment.url, TEST_SERVER_DOMAIN: deployment.settings.DOMAIN }
    const suite = await jest(SUITE, server)
    if (interrupted) return 1
    // Not at once with the others: some of them say how a stream ends, and a restart ends all of them.
    const restarts = await jest(['test/compose', '--runInBand'], {
      ...server,
      TEST_COMPOSE_PROJECT: deployment.settings.COMPOSE_PROJECT_NAME,
      TEST_PEER_URL: `http://localhost:${deployment.settings.PEER_PORT}`,
    })
    return Math.max(suite, restarts)
  } catch (error) {
    if (!interrupted) await deployment.compose('logs', '--tail=40')
    throw error
  } finally {
    if (keep) console.log(`Kept, with its settings in ${folder}; its name is ${deployment.settings.COMPOSE_PROJECT_NAME}`)
    else {
      await deployment.compose('down', '--volumes')
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** A deployment with an .env of its own. */
async function describe(envFile) {
  const ports = { HTTP_PORT: String(await freePort()), HTTPS_PORT: String(await freePort()), PEER_PORT: String(await freePort()) }
  const made = await run(['sh', 'docker/make-env.sh'], { ...process.env, ENV_FILE: envFile, TRY_FEDERATION: 'yes', ...ports })
  if (made !== 0) throw new Error('docker/make-env.sh failed')
  const limits = Object.entries(GENEROUS).map(([key, value]) => `${key}=${value}\n`)
  appendFileSync(envFile, limits.join(''))
  return new Deployment(envFile, { COMPOSE_PROJECT_NAME: `microchat-test-${process.pid}`, COMPOSE_PROFILES: 'federation' })
}

function jest(files, environment) {
  return run([process.execPath, 'tools/test.mjs', ...files], { ...process.env, ...environment })
}
