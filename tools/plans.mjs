/** `npm run plans`: the tests of test/plans against a log of a million entries. Takes some minutes and 2 GB. */
process.env.PLAN_LOG_ROWS ??= '1000000'
process.argv.push('test/plans')
await import('./test.mjs')
