/**
 * Outlives the test run for a moment and clears up after it. It learns of the run's end by the end of its standard input, which
 * the kernel closes however the run ended: by itself, by Ctrl-C, by a crash or by kill -9.
 * `node run-guard.mjs FOLDER`: kills every PostgreSQL and recorded process of the run, then removes the folder.
 */
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const folder = process.argv[2]

for await (const _ of process.stdin) {
  // Nothing is ever sent.
}
const pids = findPids()
signal(pids, 'SIGQUIT') // PostgreSQL: stop at once, no checkpoint; the data goes anyway
for (let waited = 0; pids.some(isAlive) && waited < 3_000; waited += 20) await delay(20)
signal(pids, 'SIGKILL')
for (let waited = 0; pids.some(isAlive) && waited < 2_000; waited += 20) await delay(20)
rmSync(folder, { recursive: true, force: true, maxRetries: 5 })

/** First line of each postmaster.pid: the postmaster. Each file in `processes/`: a process that a test started, by pid. */
function findPids() {
  const paths = readdirSync(folder, { recursive: true })
  const recorded = paths.filter((path) => path.startsWith('processes/')).map((path) => path.slice('processes/'.length))
  const postmasters = paths.filter((path) => path.endsWith('postmaster.pid')).map((path) => readFileSync(join(folder, path), 'utf8'))
  return [...recorded, ...postmasters].map((text) => Number.parseInt(text, 10)).filter((pid) => pid > 1)
}

function signal(targets, name) {
  for (const pid of targets.filter(isAlive)) {
    try {
      process.kill(pid, name)
    } catch {
      // Gone in the meantime.
    }
  }
}

/** Alive and still of this run: a process whose pid was given away has none of our folder in its command line or working folder. */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    if (process.platform !== 'linux') return true
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
    return environment.includes(folder) || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)
  } catch {
    return false
  }
}
