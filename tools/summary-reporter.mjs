/** Counts for the one line that ends a run, `N passed, N failed`. tools/test.mjs prints it, after whatever Jest still has to say. */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = results
    // A file that does not load, or fails outside its tests, has no failed test to count, but it is a failure.
    const brokenFiles = testResults.filter((file) => file.testExecError && file.numFailingTests === 0).length
    process.send?.({
      passed: numPassedTests,
      failed: numFailedTests + brokenFiles,
      skipped: numPendingTests + numTodoTests,
      skippedNames: testResults.flatMap(namesOfSkipped),
    })
  }
}

/** Of a file that was left out as a whole, too: Jest's own summary names nobody. */
function namesOfSkipped({ testResults }) {
  return testResults.filter(({ status }) => status === 'pending' || status === 'todo').map(({ fullName }) => fullName)
}
