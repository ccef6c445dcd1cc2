/**
 * Outlives the test run for a moment and clears up after it. It learns of the run's end by the end of its standard input, which
 * the kernel closes however the run ended: by itself, by Ctrl-C, by a crash or by kill -9.
 * `node run-guard.mjs FOLDER`: ends every process that belongs to the run's folder, then removes the folder.
 */
import { globSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const folder = process.argv[2]
const ATTEMPTS = 100

for await (const _ of process.stdin) {
  // Nothing is ever sent.
}
for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
  const pids = process.platform === 'linux' ? findProcesses() : findPostmasters()
  if (pids.length === 0 && remove()) process.exit()
  // First PostgreSQL's immediate shutdown, which also ends its children; later whatever is left.
  for (const pid of pids) signal(pid, attempt < ATTEMPTS / 4 ? 'SIGQUIT' : 'SIGKILL')
  await delay(50)
}
process.exit(1)

/** The folder's name is random, so whatever works in it, or was given it as argument or in the environment, is of this run. */
function findProcesses() {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1 && pid !== process.pid)
  return pids.filter((pid) => ['cmdline', 'environ'].some((file) => read(`/proc/${pid}/${file}`).includes(folder)) || worksInFolder(pid))
}

function worksInFolder(pid) {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
  } catch {
    return false
  }
}

function findPostmasters() {
  const pids = globSync('**/postmaster.pid', { cwd: folder }).map((path) => Number.parseInt(read(join(folder, path)), 10))
  return pids.filter((pid) => pid > 1 && signal(pid, 0))
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function signal(pid, name) {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

function remove() {
  try {
    rmSync(folder, { recursive: true, force: true })
    return true
  } catch {
    return false
  }
}
