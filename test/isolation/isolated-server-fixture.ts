import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { TestDevice } from '../authentication/device-fixture.js'
import { createTestDatabase } from '../support/database.js'
import { spawnServer, type SpawnedServer } from '../support/server.js'

/** Attackers come from 127.0.0.2 and the bystander from 127.0.0.3: only Linux has the whole of 127.0.0.0/8 without set-up. */
export const CAN_ISOLATE = process.platform === 'linux'

/** The server as it is deployed: with the limits of its defaults and the heap of `k8s/base`. */
const DEPLOYED = {
  ANONYMOUS_PER_MINUTE: '',
  REQUESTS_PER_DEVICE_PER_MINUTE: '',
  PRESSURE_DELAY: '',
  PG_POOL_API: '',
  // A run of all attacks takes longer than a token usually lives.
  ACCESS_TOKEN_TTL: '1h',
  NODE_OPTIONS: '--max-old-space-size=384 --max-semi-space-size=4',
  MALLOC_ARENA_MAX: '2',
}

export interface IsolatedServer extends SpawnedServer {
  /** Address of a bare server, for comparison. */
  control: string
  bystander: TestDevice
  attacker: TestDevice
  close(): Promise<void>
}

export async function startIsolated(overrides: Record<string, string> = {}): Promise<IsolatedServer> {
  const database = await createTestDatabase()
  const server = await spawnServer(database.url, { ...DEPLOYED, ...overrides })
  const [bystander, attacker] = [await TestDevice.registered(server.url), await TestDevice.registered(server.url)]
  const control = spawn(process.execPath, [fileOf('control.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [controlUrl] = (await once(control.stdout, 'data')) as [Buffer]
  const close = async () => {
    control.stdin.end()
    await server.stop('SIGTERM')
    await database.drop()
  }
  return { ...server, control: controlUrl.toString().trim(), bystander, attacker, close }
}

export interface Bystanding {
  /** 99th percentile of the times from request to answer, in milliseconds. */
  p99: number
  /** The same of the bare server. */
  controlP99: number
  /** Number of requests not answered with 200, by status or error. */
  failures: Record<string, number>
}

export interface Attack {
  connections: number
  /** Connections that were closed without an answer. */
  refused: number
  answers: Record<string, number>
  held: number
}

const ATTACK_SECONDS = 4
/** The attack has begun and reached its rate when the bystander starts. */
const LEAD_MS = 500

export async function standBy({ url, control, bystander }: IsolatedServer, seconds: number): Promise<Bystanding> {
  const { times, controlTimes, failures } = (await run('bystander.mjs', [url, control, bystander.accessToken ?? '', String(seconds)])) as {
    times: number[]
    controlTimes: number[]
    failures: Record<string, number>
  }
  return { p99: percentile99(times), controlP99: percentile99(controlTimes), failures }
}

function percentile99(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99) - 1] ?? Number.POSITIVE_INFINITY
}

/** The bystander without the attack, then with it; and what the server's memory reached. */
export async function measure(server: IsolatedServer, attack: string, environment: Record<string, string> = {}) {
  const undisturbed = await standBy(server, 2)
  const memory = watchMemory(server.pid)
  const attacking = run(
    'attackers.mjs',
    [attack, server.url, String(ATTACK_SECONDS), server.attacker.accessToken ?? ''],
    environment,
  ) as Promise<Attack>
  await sleep(LEAD_MS)
  const attacked = await standBy(server, ATTACK_SECONDS - 1)
  const seen = await attacking
  return { undisturbed, attacked, attack: seen, maxMegabytes: memory.stop() }
}

/** Runs a script of this folder in a process of its own, behind everything else that wants the processor. */
async function run(script: string, args: readonly string[], environment: Record<string, string> = {}): Promise<unknown> {
  const nice = script === 'attackers.mjs' ? ['nice', '-n', '10'] : []
  const [program = '', ...rest] = [...nice, process.execPath, fileOf(script), ...args]
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment } })
  const output = await text(child.stdout)
  return JSON.parse(output)
}

function fileOf(script: string): string {
  return fileURLToPath(new URL(script, import.meta.url))
}

function watchMemory(pid: number): { stop(): number } {
  let max = 0
  const look = () => {
    max = Math.max(max, residentMegabytes(pid))
  }
  const timer = setInterval(look, 50)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return max
    },
  }
}

export function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) / 1024
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}
