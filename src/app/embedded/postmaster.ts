import { spawn } from 'node:child_process'
import { chown, open, readFile, readlink, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EmbeddedPostgresError, programFailure } from './embedded-error.js'
import type { Binaries } from './binaries.js'
import type { ClusterFolder } from './cluster-folder.js'
import { sleep } from '../../platform/timing.js'

/** A running PostgreSQL, ours or one that an earlier process of this server left behind. */
export interface Postmaster {
  pid: number
  port: number
  /** When it started, as its own pid file says it: with the pid, this names one process of all times. */
  startedAt: string
}

const POLL_MS = 20
const MAX_LOG_BYTES = 10 * 1024 * 1024

/** The postmaster of this folder, once it is ready for connections; undefined if there is none. */
export async function findPostmaster(path: string): Promise<Postmaster | undefined> {
  for (;;) {
    const found = await readPidFile(path)
    if (!found || !(await isPostmasterOf(path, found.pid))) return undefined
    if (found.status === 'ready') return found
    await sleep(POLL_MS)
  }
}

/** Starts PostgreSQL and waits until it is ready, recovery included. Throws with the end of its log if it gives up. */
export async function startPostmaster(cluster: ClusterFolder, binaries: Binaries, settings: Record<string, string>): Promise<Postmaster> {
  const { path, user } = cluster
  await removeForeignPidFile(path)
  const log = await openLog(cluster)
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(binaries.postgres, ['-D', path, ...options], {
    cwd: path,
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
    // Out of the terminal's process group: Ctrl-C is for the server, which still needs its database to shut down in order.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  })
  const failed = new Promise<Error>((resolve) => {
    child.once('error', resolve)
    child.once('exit', (code, signal) => resolve(new EmbeddedPostgresError(`PostgreSQL ended at once (${signal ?? code})`)))
  })
  child.unref()
  try {
    for (;;) {
      const found = await readPidFile(path)
      if (found?.pid === child.pid && found?.status === 'ready') return found
      const error = await Promise.race([failed, sleep(POLL_MS)])
      if (error) throw programFailure(`${error.message}. The end of ${join(path, LOG)}`, await readLogEnd(path), path)
    }
  } finally {
    await log.close()
  }
}

/** Fast shutdown: open transactions are rolled back and everything is written. After `timeoutMs` it is cut short, which is safe but means recovery. */
export async function stopPostmaster(path: string, { pid }: Postmaster, timeoutMs = 10_000): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    sendSignal(pid, signal)
    const deadline = performance.now() + timeoutMs
    while (performance.now() < deadline) {
      if (!(await isPostmasterOf(path, pid))) return
      await sleep(POLL_MS)
    }
  }
  throw new EmbeddedPostgresError(`PostgreSQL (process ${pid}) does not stop`)
}

/** A signal to a process that may be gone by now. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself.
  }
}

/** postmaster.pid: pid, folder, start time, port, socket folder, address, shared memory key, status. */
async function readPidFile(path: string): Promise<(Postmaster & { status: string }) | undefined> {
  const text = await readFile(join(path, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n')
  const pid = Number(lines[0])
  return pid > 0 ? { pid, port: Number(lines[3]), startedAt: lines[2] ?? '', status: lines[7]?.trim() ?? '' } : undefined
}

/** After a reboot the pid in a stale file may belong to anyone. A postmaster works in its data folder; where /proc cannot tell, we believe the pid. */
async function isPostmasterOf(path: string, pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  if (process.platform !== 'linux') return true
  const [cwd, own] = await Promise.all([readlink(`/proc/${pid}/cwd`).catch(() => ''), stat(path)])
  const theirs = cwd ? await stat(cwd).catch(() => undefined) : undefined
  return theirs?.ino === own.ino && theirs.dev === own.dev
}

/** PostgreSQL clears a stale file by itself, unless its pid lives on as another process of the same user. */
async function removeForeignPidFile(path: string): Promise<void> {
  const found = await readPidFile(path)
  if (found && !(await isPostmasterOf(path, found.pid))) await rm(join(path, 'postmaster.pid'), { force: true })
}

const LOG = 'postgres.log'

async function openLog({ path, user }: ClusterFolder) {
  const file = join(path, LOG)
  const before = await stat(file).catch(() => undefined)
  if (before && before.size > MAX_LOG_BYTES) await rename(file, `${file}.1`)
  const log = await open(file, 'a', 0o600)
  if (user) await chown(file, user.uid, user.gid)
  return log
}

async function readLogEnd(path: string): Promise<string> {
  const text = await readFile(join(path, LOG), 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-8).join('\n')
}
