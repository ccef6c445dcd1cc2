/**
 * `npm run test:deployment [-- --keep]`: brings up docker-compose.yml next to whatever else runs here (names, ports, volumes and secrets of
 * its own), runs the scenario suite and the race through its proxy, then restarts parts of it under a conversation, and takes it down again.
 * With TEST_SERVER_URL (and TEST_SERVER_DOMAIN) only the suite runs, against the server that is there. Its rate limits must allow it.
 * Without a container engine everything is skipped, by name. DEBUG=testcontainers* shows what Compose and the containers say.
 *
 * A program of its own, which Node runs as it is: each Jest reads at its start which authority to trust.
 */
import { spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { DockerComposeEnvironment, type StartedDockerComposeEnvironment } from 'testcontainers'
import { hasContainerEngine } from '../support/containers.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { GENEROUS } from '../support/generous.ts'

type Settings = Readonly<Record<string, string | undefined>>

const root = join(import.meta.dirname, '../..')
const SUITE = ['test/scenario', 'test/concurrency/race.test.ts']
const RESTARTS = ['test/compose', '--runInBand']
const HEALTHY_MS = 120_000
const REACHED_MS = 60_000
/** Root certificate of the proxy's own authority. */
const ROOT_CERTIFICATE = '/data/caddy/pki/authorities/local/root.crt'

const keep = process.argv.includes('--keep')
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (interrupted = true))

process.exitCode = await main()

async function main(): Promise<number> {
  if (process.env['TEST_SERVER_URL']) return jest(SUITE, {})
  if (await hasContainerEngine()) return testOwnDeployment()
  console.log('skipped: the deployment of docker-compose.yml, as there is no container engine\n0 passed, 0 failed')
  return 0
}

async function testOwnDeployment(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'microchat-compose-'))
  const project = `microchat-test-${process.pid}`
  const envFile = join(folder, '.env')
  const settings = await writeSettings(envFile)
  let deployment: StartedDockerComposeEnvironment | undefined
  try {
    deployment = await new DockerComposeEnvironment(root, 'docker-compose.yml')
      .withProjectName(project)
      .withProfiles('federation')
      .withEnvironmentFile(envFile)
      .withEnvironment({ ENV_FILE: envFile })
      .withBuild()
      .withAutoCleanup(!keep)
      .withStartupTimeout(HEALTHY_MS)
      .up()
    return await testThrough(deployment, settings, { file: join(folder, 'root.crt'), project })
  } finally {
    if (keep) console.log(`Kept, with its settings in ${folder}; its name is ${project}`)
    else {
      await deployment?.down()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** An .env of its own. */
async function writeSettings(envFile: string): Promise<Settings> {
  const ports = { HTTP_PORT: String(await freePort()), HTTPS_PORT: String(await freePort()), PEER_PORT: String(await freePort()) }
  const code = await run(['sh', 'docker/make-env.sh'], { ENV_FILE: envFile, TRY_FEDERATION: 'yes', ...ports })
  if (code !== 0) throw new Error('docker/make-env.sh failed')
  appendFileSync(
    envFile,
    Object.entries(GENEROUS)
      .flatMap(([key, value]) => [key, '=', value, '\n'])
      .join(''),
  )
  return parseEnv(readFileSync(envFile, 'utf8'))
}

/** @returns the exit code of what failed, or 0 */
async function testThrough(
  deployment: StartedDockerComposeEnvironment,
  settings: Settings,
  { file, project }: { readonly file: string; readonly project: string },
): Promise<number> {
  const { PUBLIC_URL: url = '', DOMAIN: domain = '', PEER_PORT: peerPort = '' } = settings
  await trustAndReach(deployment, url, file)
  const server = { NODE_EXTRA_CA_CERTS: file, TEST_SERVER_URL: url, TEST_SERVER_DOMAIN: domain }
  const suite = await jest(SUITE, server)
  if (interrupted) return 1
  // Not at once with the others: some of them say how a stream ends, and a restart ends all of them.
  const peer = { TEST_COMPOSE_PROJECT: project, TEST_PEER_URL: `http://localhost:${peerPort}` }
  return Math.max(suite, await jest(RESTARTS, { ...server, ...peer }))
}

/** Writes down the proxy's root certificate once there is one, and waits until a node answers through the proxy. */
async function trustAndReach(deployment: StartedDockerComposeEnvironment, url: string, file: string): Promise<void> {
  const proxy = deployment.getContainer('proxy-1')
  const { stdout } = await eventually(
    () => proxy.exec(['cat', ROOT_CERTIFICATE]),
    ({ exitCode }) => exitCode === 0,
    REACHED_MS,
  )
  writeFileSync(file, stdout)
  // A node asks for a token, which no proxy does by itself.
  await eventually(
    () => answerOf(`${url}/v1/devices`, stdout),
    (answer) => answer === 401,
    REACHED_MS,
  )
}

/** @returns the status, or why there is none */
function answerOf(url: string, ca: string): Promise<number | string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { ca, timeout: 5_000 }, ({ statusCode, socket }) => {
      socket.destroy()
      resolve(statusCode)
    })
    request.on('timeout', () => request.destroy(new Error('no answer in 5 s')))
    request.on('error', ({ message }) => resolve(message))
  })
}

function jest(files: readonly string[], environment: Readonly<Record<string, string>>): Promise<number> {
  return run([process.execPath, 'tools/test.mjs', ...files], environment)
}

/** @returns the exit code; what it prints goes where ours goes, and signals that we get go to it */
async function run([program = '', ...args]: readonly string[], environment: Readonly<Record<string, string>>): Promise<number> {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } })
  const forward = (signal: NodeJS.Signals) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, forward)
  try {
    return await new Promise((resolve, reject) => child.once('error', reject).once('close', (code) => resolve(code ?? 1)))
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, forward)
  }
}
