import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../free-port.js'

/** A redis-server on loopback, with nothing on disk: killed, it has forgotten everything. */
export class RedisProcess {
  private server: ChildProcess | undefined

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly settings: readonly string[],
    private readonly role: 'server' | 'sentinel',
  ) {}

  /** @param settings as in redis.conf, one line each */
  static async start(settings: readonly string[] = [], role: 'server' | 'sentinel' = 'server', port?: number): Promise<RedisProcess> {
    // Within the run's folder, so that the run's guard finds what a killed run leaves.
    const folder = await mkdtemp(join(process.env['TEST_RUN_FOLDER'] ?? tmpdir(), 'redis-'))
    const made = new RedisProcess(port ?? (await freePort()), folder, settings, role)
    await made.startAgain()
    return made
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts it again on the same port, empty. */
  async startAgain(): Promise<void> {
    const persistence = this.role === 'server' ? ['save ""', 'appendonly no', 'maxmemory-policy noeviction'] : []
    const lines = [`port ${this.port}`, 'bind 127.0.0.1', `dir "${this.folder}"`, ...persistence, ...this.settings]
    const file = join(this.folder, 'redis.conf')
    await writeFile(file, `${lines.join('\n')}\n`)
    const server = spawn('redis-server', [file, ...(this.role === 'sentinel' ? ['--sentinel'] : [])], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    this.server = server
    await ready(server)
  }

  /** There, but silent. */
  pause(): void {
    this.server?.kill('SIGSTOP')
  }

  resume(): void {
    this.server?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const { server } = this
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    server.kill('SIGKILL')
    await once(server, 'exit')
  }
}

async function ready(server: ChildProcess): Promise<void> {
  if (!server.stdout) throw new Error('No output to read')
  const lines = createInterface(server.stdout)
  const said: string[] = []
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      said.push(line)
      if (/Ready to accept connections|Sentinel ID is/.test(line)) resolve()
    })
    server.once('exit', () => reject(new Error(`redis-server ended\n${said.join('\n')}`)))
  })
}
