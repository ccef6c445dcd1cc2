import { refuseOldNode } from './app/node-version.js'

/** What a command could not close, because nobody answers any more, must not keep the operator waiting. */
const TIMEOUT_MS = 3_000

refuseOldNode()
// Only now: an older Node fails while it links modules that use what it does not have.
await import('reflect-metadata')
const { runCli } = await import('./app/cli/run-cli.js')

process.exitCode = await runCli(process.argv.slice(2))
setTimeout(() => process.exit(), TIMEOUT_MS).unref()
