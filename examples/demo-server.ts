import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface DemoServer {
  url: string
  domain: string
  /** Its DATA_DIR; undefined for a server that was there before. */
  folder?: string
  stop(): Promise<void>
}

/** The server that MICROCHAT_URL names, or an embedded one with a data folder that goes when it stops. */
export async function serverForDemo(): Promise<DemoServer> {
  const given = process.env['MICROCHAT_URL']
  if (given) return { url: given, domain: process.env['MICROCHAT_DOMAIN'] ?? 'localhost', stop: () => Promise.resolve() }
  return embeddedServer({ DOMAIN: 'localhost', PORT: '0' })
}

/** A server of its own, with PostgreSQL, in a temporary folder that goes when it stops. */
export async function embeddedServer(settings: Record<string, string>): Promise<DemoServer> {
  const folder = await mkdtemp(join(tmpdir(), 'microchat-demo-'))
  // PostgreSQL refuses to run as root; as an unprivileged user it must be able to enter.
  await chmod(folder, 0o755)
  const own = { DATA_DIR: folder, HOST: '127.0.0.1', LOG_LEVEL: 'warn', SHUTDOWN_GRACE: '2s', ...settings }
  const main = fileURLToPath(new URL('../main.js', import.meta.url))
  const environment = { ...process.env, ...own }
  const child = spawn(process.execPath, ['--enable-source-maps', main], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
  const stop = async () => {
    await ended(child)
    await rm(folder, { recursive: true, force: true })
  }
  const domain = settings['DOMAIN'] ?? 'localhost'
  try {
    process.stdout.write(`Starting a server of its own for ${domain}, with PostgreSQL, in a temporary folder …\n`)
    const url = await firstUrl(child)
    process.stdout.write(`It listens at ${url}\n`)
    return { url, domain, folder, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

/** The start-up line names the address. Keeps reading afterwards, so that the pipe never fills. */
function firstUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}`)))
    if (!child.stdout) return reject(new Error('No output to read'))
    createInterface(child.stdout).on('line', (line) => {
      const url = /\bMicroChat is up\. HTTP (\S+)/.exec(line)?.[1]
      if (url) resolve(url)
      else process.stdout.write(`${line}\n`)
    })
  })
}
