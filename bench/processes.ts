import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { startEmbeddedPostgres } from '../src/app/embedded/embedded-postgres.js'

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url))

/** What a measurement started, in the order in which it is ended: last first. `BENCH_LOG` names a file for what its processes print, `BENCH_NODE_OPTIONS` has options of Node for servers, such as `--cpu-prof`. */
export class Processes {
  private readonly undo: (() => Promise<unknown>)[] = []
  private readonly secret = randomBytes(32).toString('base64')
  private folder = ''

  static async start(): Promise<Processes> {
    const made = new Processes()
    made.folder = await mkdtemp(join(tmpdir(), 'microchat-bench-'))
    // PostgreSQL runs as another user if we are root.
    await chmod(made.folder, 0o755)
    made.undo.push(() => rm(made.folder, { recursive: true, force: true }))
    return made
  }

  /** With fsync on, as everywhere. @returns its URL */
  async postgres(): Promise<string> {
    const postgres = await startEmbeddedPostgres({ DATA_DIR: this.folder })
    this.undo.push(() => postgres.stop())
    return postgres.url
  }

  async redis(): Promise<string> {
    const port = await freePort()
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.folder]
    const server = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'inherit'] })
    await line(server, /Ready to accept connections/)
    this.undo.push(() => ended(server))
    return `redis://127.0.0.1:${port}`
  }

  /** dist/main.js. @returns where it listens */
  async server(settings: Record<string, string>): Promise<string> {
    const environment = {
      PATH: process.env['PATH'] ?? '',
      SERVER_SECRET: this.secret,
      PORT: '0',
      LOG_LEVEL: 'warn',
      SHUTDOWN_GRACE: '2s',
      ...settings,
    }
    const options = (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter(Boolean)
    const server = spawn(process.execPath, ['--enable-source-maps', ...options, MAIN], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.undo.push(() => ended(server))
    return (await line(server, /\bMicroChat is up\. HTTP (\S+)/))[1] ?? ''
  }

  async stop(): Promise<void> {
    for (const step of this.undo.splice(0).reverse()) await step()
  }
}

async function line(child: ChildProcess, wanted: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => reject(new Error(`It ended with ${code}`)))
    if (!child.stdout) return reject(new Error('No output to read'))
    const log = process.env['BENCH_LOG']
    createInterface(child.stdout).on('line', (text) => {
      if (log) appendFileSync(log, `${child.pid} ${text}\n`)
      const match = wanted.exec(text)
      if (match) resolve(match)
    })
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

/** Milliseconds that all processors of the machine have worked. */
export function machineCpuMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.sys + times.nice + times.irq, 0)
}
