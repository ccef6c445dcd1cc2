import { refuseOldNode } from './app/node-version.js'

refuseOldNode()
// Only now: an older Node fails while it links modules that use what it does not have.
const { runTester } = await import('./app/federation-check/tester/run-tester.js')

process.exitCode = await runTester(process.argv.slice(2))
