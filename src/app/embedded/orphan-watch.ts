import { spawn } from 'node:child_process'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Postmaster } from './postmaster.js'

/** A server that starts again at once finds its PostgreSQL still running, and keeps it. */
export const ORPHAN_GRACE_SECONDS = 2
/** For a fast shutdown to write what is in memory; after that it is cut short, and the next start recovers. */
const SHUTDOWN_TIMEOUT_SECONDS = 30

const CLAIM = 'microchat-server.'

/**
 * Waits for the end of its standard input, which the kernel closes however the server ends: by kill -9, out of memory, in order.
 * Then ends the postmaster of the folder, unless it is another one by now, or another server has claimed it. `read`, `kill` and
 * `[` are the shell's own, so it takes two megabytes where another node would take forty.
 * $1 data folder, $2 first and third line of its postmaster.pid, $3 pid of our server, $4 seconds of grace, $5 of shutdown
 */
const SCRIPT = `
trap '' HUP INT TERM QUIT
while read -r line; do :; done
current() {
  { read -r pid; read -r folder; read -r started; } 2>/dev/null < "$1/postmaster.pid" || return 1
  [ "$pid $started" = "$2" ] && kill -0 "$pid" 2>/dev/null
}
claimed() {
  for claim in "$1/${CLAIM}"*; do
    other=\${claim##*.}
    [ "$other" != "$2" ] && kill -0 "$other" 2>/dev/null && return 0
  done
  return 1
}
sleep "$4"
current "$1" "$2" || exit 0
claimed "$1" "$3" && exit 0
kill -INT "$pid"
waited=0
while [ "$waited" -lt "$5" ]; do
  sleep 1
  current "$1" "$2" || exit 0
  waited=$((waited + 1))
done
kill -QUIT "$pid"
`

/** A guard of one postmaster, for as long as this process lives. */
export interface OrphanWatch {
  /** The postmaster has been stopped, or is guarded by another watch. */
  end(): void
}

/**
 * Sees to it that PostgreSQL does not outlive this process by more than seconds. In a session of its own, as Ctrl-C must not end
 * it. Not on Windows, which has no such shell: there the next start adopts what was left running.
 */
export function watchForOrphan(path: string, postmaster: Postmaster, graceSeconds = ORPHAN_GRACE_SECONDS): OrphanWatch | undefined {
  if (process.platform === 'win32') return undefined
  const identity = `${postmaster.pid} ${postmaster.startedAt}`
  const args = ['-c', SCRIPT, 'microchat-orphan-watch', path, identity, `${process.pid}`, `${graceSeconds}`, `${SHUTDOWN_TIMEOUT_SECONDS}`]
  const child = spawn('/bin/sh', args, {
    cwd: '/',
    env: { PATH: process.env['PATH'] },
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.on('error', () => undefined) // no shell: as on Windows
  child.stdin.on('error', () => undefined)
  child.unref()
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  return { end: () => void child.stdin.destroy() }
}

/**
 * Says that this process is about to use the folder's PostgreSQL. Before it looks for one, so that the watch of a server that has
 * just died leaves it running. Claims of processes that are gone go with it.
 */
export async function claim(path: string): Promise<void> {
  await writeFile(join(path, `${CLAIM}${process.pid}`), '')
  const others = (await readdir(path)).filter((name) => name.startsWith(CLAIM) && !isAlive(Number(name.slice(CLAIM.length))))
  await Promise.all(others.map((name) => rm(join(path, name), { force: true })))
}

/** @param path the data folder; its cluster may be stopped by the watch of another process from now on */
export async function withdrawClaim(path: string): Promise<void> {
  await rm(join(path, `${CLAIM}${process.pid}`), { force: true })
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
