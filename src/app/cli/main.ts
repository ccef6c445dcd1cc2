import 'reflect-metadata'
import { runCli } from './run-cli.js'

/** What a command could not close, because nobody answers any more, must not keep the operator waiting. */
const PATIENCE_MS = 3_000

process.exitCode = await runCli(process.argv.slice(2))
setTimeout(() => process.exit(), PATIENCE_MS).unref()
