import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { Client, type QueryResultRow } from 'pg'

/** What the script told when it was up, or why it could not start. */
interface Report {
  url: string
  adopted: boolean
  error?: string
}

export interface EmbeddedServer extends Report {
  process: ChildProcess
  /** Ends it like Ctrl-C or an orchestrator would; gives the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  kill9(): Promise<void>
}

/** A folder of the run, so that whatever a failing test leaves running is ended with the run. */
export function newFolder(): Promise<string> {
  return mkdtemp(join(process.env['TEST_RUN_FOLDER']!, 'embedded-'))
}

export function scriptArguments(dataDir: string, graceSeconds = 2): string[] {
  return [join(import.meta.dirname, 'server.mjs'), dataDir, join(process.env['TEST_RUN_FOLDER']!, 'shared-by-root'), `${graceSeconds}`]
}

/** Starts test/embedded/server.mjs in a process group of its own and waits for its report. */
export async function startEmbeddedServer(
  dataDir: string,
  { graceSeconds, ...identity }: { uid?: number; gid?: number; graceSeconds?: number } = {},
): Promise<EmbeddedServer> {
  const child = spawn(process.execPath, scriptArguments(dataDir, graceSeconds), {
    ...identity,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const end = async (signal: NodeJS.Signals, pid: number): Promise<number | null> => {
    process.kill(pid, signal)
    return (await exited)[0]
  }
  return {
    ...(JSON.parse(line) as Report),
    process: child,
    // To the group, as a terminal sends Ctrl-C.
    stop: (signal = 'SIGINT') => end(signal, -child.pid!),
    kill9: async () => void (await end('SIGKILL', child.pid!)),
  }
}

export async function query<R extends QueryResultRow>(url: string, text: string): Promise<R[]> {
  // A server that was killed a moment ago may still take a connection, and never answer.
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 10_000 })
  await client.connect()
  try {
    return (await client.query<R>(text)).rows
  } finally {
    await client.end()
  }
}

/** Queries like `query`, but waits until the database is up. */
export async function queryWhenUp<R extends QueryResultRow>(url: string, text: string): Promise<R[]> {
  let rows: R[] | undefined
  await until(async () => (rows = await query<R>(url, text).catch(() => undefined)) !== undefined)
  return rows!
}

export async function postmasterPid(dataDir: string): Promise<number | undefined> {
  const text = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : Number.parseInt(text, 10)
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Waits for the end of a process. */
export function gone(pid: number): Promise<void> {
  return until(() => !isAlive(pid))
}

/** Gives up after 30 s, or a failed test's loop would keep Jest from ending. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited in vain: ${condition.toString()}`)
    await delay(10)
  }
}
