/**
 * `node tools/test.mjs [JEST ARGUMENTS]`: builds, then runs Jest; tests that compare times (`*.alone.test.ts`) come last, with nothing beside
 * them. The last line is always `N passed, N failed`.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { endWithParents } from './end-with-parents.mjs'
import { requireSupportedNode } from './node-version.mjs'

const root = join(import.meta.dirname, '..')

/** The names of test files that nothing may run beside. */
const ALONE = String.raw`\.alone\.test\.ts$`

let interrupted = false

/** From Jest's report to its end, stopping PostgreSQL included. */
const END_MS = 60_000

requireSupportedNode()
endWithParents()
/** @type {{ passed: number, failed: number, skipped: number, skippedNames: string[] }} */
const NOTHING = { passed: 0, failed: 0, skipped: 0, skippedNames: [] }
const { passed, failed, skipped, skippedNames } = (await tryBuild()) ? await runAll(process.argv.slice(2)) : { ...NOTHING, failed: 1 }
// Those that were not asked for are no news.
if (process.argv.length === 2) for (const name of skippedNames) console.log(`skipped: ${name}`)
process.exitCode = failed === 0 ? 0 : 1
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)

async function tryBuild() {
  try {
    const { buildIfStale } = await import('./build.mjs')
    await buildIfStale()
    return true
  } catch (error) {
    console.error(`The build failed.\n${error.message}`)
    // Someone who asked for certain tests may go on while another file is being written.
    return process.argv.length > 2
  }
}

async function runAll(args) {
  if (args.length > 0) return runJest(args)
  const together = await runJest(['--testPathIgnorePatterns', '/node_modules/', ALONE])
  if (interrupted) return together
  const alone = await runJest(['--runInBand', '--testPathPatterns', ALONE])
  return {
    passed: together.passed + alone.passed,
    failed: together.failed + alone.failed,
    skipped: together.skipped + alone.skipped,
    skippedNames: [...together.skippedNames, ...alone.skippedNames],
  }
}

/** The reporter's counts. If Jest fails without any failed test, or never comes to report, that is one failure. */
async function runJest(args) {
  const jest = join(root, 'node_modules/jest/bin/jest.js')
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, jest, ...args], { cwd: root, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      interrupted = true
      child.kill(signal)
    })
  /** @type {{ passed: number, failed: number, skipped: number, skippedNames: string[] }} */
  let counts = NOTHING
  child.on('message', (message) => {
    counts = message
    // A handle that a test left open would keep Jest, and CI, waiting for ever: that is a failure, not a hang.
    setTimeout(() => child.kill('SIGKILL'), END_MS).unref()
  })
  const code = await new Promise((resolve) => child.once('error', resolve).once('close', resolve))
  return code === 0 ? counts : { ...counts, failed: Math.max(counts.failed, 1) }
}
