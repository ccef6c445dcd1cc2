import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseEnv } from 'node:util'

export const root = join(import.meta.dirname, '../..')

const UP_MS = 60_000

/** One Compose deployment of this repository, as its .env describes it. */
export class Deployment {
  /**
   * @param envFile made by docker/make-env.sh
   * @param overrides count for more than what stands in it
   */
  constructor(envFile, overrides = {}) {
    this.environment = { ...process.env, ENV_FILE: envFile, ...overrides }
    this.settings = { ...parseEnv(readFileSync(envFile, 'utf8')), ...overrides }
    this.command = [...composeProgram(), '--env-file', envFile]
  }

  get url() {
    return this.settings.PUBLIC_URL
  }

  /** Shows what Compose says. @throws if Compose fails */
  async compose(...args) {
    const code = await run([...this.command, ...args], this.environment)
    if (code !== 0) throw new Error(`docker compose ${args.join(' ')} ended with ${code}`)
  }

  /**
   * Waits until a node answers through the proxy.
   * @param file where to put the root certificate of the proxy's own authority, if it has one
   * @returns what a client's environment needs in order to trust the proxy
   */
  async up(file) {
    const internal = this.settings.TLS === 'internal'
    const unready = await within(UP_MS, () => {
      if (internal) writeFileSync(file, this.#read('proxy', 'cat', '/data/caddy/pki/authorities/local/root.crt'))
      return reach(`${this.url}/v1/devices`, internal ? readFileSync(file) : undefined)
    })
    if (unready) throw new Error(`${this.url} does not answer: ${unready}. Is the deployment up (docker compose up -d)?`)
    return internal ? { NODE_EXTRA_CA_CERTS: file } : {}
  }

  /** What a command prints inside the container of a service. */
  #read(service, ...command) {
    const [program, ...args] = [...this.command, 'exec', '-T', service, ...command]
    const { status, stdout, stderr } = spawnSync(program, args, { cwd: root, env: this.environment, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr.trim())
    return stdout
  }
}

/** @returns the exit code; what it prints goes where ours goes, and signals that we get go to it */
export async function run([program, ...args], env) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', env })
  const forward = (signal) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, forward)
  try {
    return await new Promise((resolve, reject) => child.once('error', reject).once('close', (code) => resolve(code ?? 1)))
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, forward)
  }
}

const COMPOSE = ['docker', 'compose']

/** @throws if there is no Compose 2: the older program has no `up --wait` */
function composeProgram() {
  const [program, ...args] = COMPOSE
  if (spawnSync(program, [...args, 'version'], { stdio: 'ignore' }).status !== 0)
    throw new Error('This needs Docker with Compose 2.1.1 or newer: "docker compose version" has to work.')
  return COMPOSE
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
