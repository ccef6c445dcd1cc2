import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '../src/app/embedded/embedded-postgres.js'

export interface DemoProvider {
  readonly domain: string
  readonly url: string
  /** Where its PostgreSQL keeps its data. */
  readonly folder: string
}

export interface DemoFederation {
  readonly providers: readonly DemoProvider[]
  stop(): Promise<void>
}

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url))

/** One server process per domain, each with a PostgreSQL of its own below one temporary folder, which goes when they stop. */
export async function startProviders(domains: readonly string[]): Promise<DemoFederation> {
  const root = await mkdtemp(join(tmpdir(), 'microchat-federation-'))
  // PostgreSQL refuses to run as root; as an unprivileged user it must be able to enter.
  await chmod(root, 0o755)
  const children: ChildProcess[] = []
  const stop = async () => {
    await Promise.all(children.map(ended))
    await rm(root, { recursive: true, force: true })
  }
  const interrupted = () => void stop().finally(() => process.exit(130))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted)
  try {
    const planned = await plan(domains, root)
    const peers = planned.map(({ domain, url }) => `${domain}=${url}`).join(',')
    const ready = planned.map(async (provider) => {
      const child = spawn(process.execPath, ['--enable-source-maps', MAIN], {
        env: settings(provider, peers),
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      children.push(child)
      await listening(child, provider.domain)
    })
    await Promise.all(ready)
    return { providers: planned, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Each has to know where the others will be before any of them runs. */
async function plan(domains: readonly string[], root: string): Promise<DemoProvider[]> {
  const planned: DemoProvider[] = []
  let preferred = 8_100
  for (const domain of domains) {
    const port = await findFreePort(preferred)
    preferred = port + 1
    planned.push({ domain, url: `http://127.0.0.1:${port}`, folder: join(root, domain) })
  }
  return planned
}

/** Not our own environment: a DATABASE_URL in it would give all of them one database. */
function settings({ domain, url, folder }: DemoProvider, peers: string): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env
  return {
    PATH,
    HOME,
    TMPDIR,
    DATA_DIR: folder,
    HOST: '127.0.0.1',
    PORT: new URL(url).port,
    PUBLIC_URL: url,
    DOMAIN: domain,
    FEDERATION: 'open',
    FEDERATION_PEER_URLS: peers,
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    SWEEP_INTERVAL: '500ms',
    LOG_LEVEL: 'warn',
    SHUTDOWN_GRACE: '2s',
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

/** Keeps reading after the start-up line, so that the pipe never fills. */
function listening(child: ChildProcess, domain: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => reject(new Error(`The server of ${domain} ended with ${code}`)))
    if (!child.stdout) return reject(new Error('No output to read'))
    createInterface(child.stdout).on('line', (line) => {
      if (line.includes('MicroChat is up.')) resolve()
      else process.stdout.write(`${domain}: ${line}\n`)
    })
  })
}
