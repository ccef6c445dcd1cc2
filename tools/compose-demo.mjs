/** `npm run demo:compose`: the demo against the deployment that `docker compose up -d` has started. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseEnv } from 'node:util'

const root = join(import.meta.dirname, '..')
const UP_MS = 60_000

const envFile = process.env.ENV_FILE ?? join(root, '.env')
if (!existsSync(envFile)) {
  console.error('There is no .env. Make one with "sh docker/make-env.sh", then start the deployment with "docker compose up -d".')
  process.exit(1)
}
const settings = parseEnv(readFileSync(envFile, 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'microchat-compose-'))
try {
  const trust = await waitForProxy(join(folder, 'root.crt'))
  console.log(`Through the proxy at ${settings.PUBLIC_URL}`)
  // Node reads NODE_EXTRA_CA_CERTS once, at its start: hence a process of its own.
  process.exitCode = await runDemo({ ...trust, MICROCHAT_URL: settings.PUBLIC_URL, MICROCHAT_DOMAIN: settings.DOMAIN })
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/**
 * Waits until a node answers through the proxy.
 * @param file where to put the root certificate of the proxy's own authority, if it has one
 * @returns what a client's environment needs in order to trust the proxy
 */
async function waitForProxy(file) {
  const internal = settings.TLS === 'internal'
  const unready = await within(UP_MS, () => {
    if (internal) writeFileSync(file, inProxy('cat', '/data/caddy/pki/authorities/local/root.crt'))
    return reach(`${settings.PUBLIC_URL}/v1/devices`, internal ? readFileSync(file) : undefined)
  })
  if (unready) throw new Error(`${settings.PUBLIC_URL} does not answer: ${unready}. Is the deployment up (docker compose up -d)?`)
  return internal ? { NODE_EXTRA_CA_CERTS: file } : {}
}

/** What a command prints inside the container of the proxy. */
function inProxy(...command) {
  const [program, ...args] = [...composeProgram(), '--env-file', envFile, 'exec', '-T', 'proxy', ...command]
  const env = { ...process.env, ENV_FILE: envFile }
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: root, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr.trim())
  return stdout
}

/** @returns the exit code; signals that we get go to the demo */
async function runDemo(environment) {
  const env = { ...process.env, ...environment }
  const child = spawn(process.execPath, ['tools/start.mjs', 'examples/demo.js'], { cwd: root, stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => child.once('error', reject).once('close', (code) => resolve(code ?? 1)))
}

/** Compose as a plugin of docker, or the older program. */
function composeProgram() {
  const candidates = [['docker', 'compose'], ['docker-compose']]
  const found = candidates.find(([program, ...args]) => spawnSync(program, [...args, 'version'], { stdio: 'ignore' }).status === 0)
  if (!found) throw new Error('This needs Docker with Compose.')
  return found
}

/** Tries again and again. @returns undefined once it works, else why it did not at last */
async function within(ms, attempt) {
  for (const deadline = Date.now() + ms; ;) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() > deadline) return error.message
      await delay(500)
    }
  }
}

/** Resolves once a node asks for a token, which no proxy does by itself. */
function reach(url, ca) {
  return new Promise((resolve, reject) => {
    const request = get(url, { ca, timeout: 5_000 }, ({ statusCode, socket }) => {
      socket.destroy()
      if (statusCode === 401) resolve()
      else reject(new Error(`status ${statusCode}`))
    })
    request.on('timeout', () => request.destroy(new Error('no answer in 5 s')))
    request.on('error', reject)
  })
}
