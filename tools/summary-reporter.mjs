/** Ends a run with one line that people and scripts can read: `N passed, N failed`, and `N skipped` if any were. */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numRuntimeErrorTestSuites } = results
    const skipped = numPendingTests + numTodoTests
    // A file that does not even load has no tests to count, but it is a failure.
    const failed = numFailedTests + numRuntimeErrorTestSuites
    this.line = `${numPassedTests} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`
    // Jest's own last words are written after the reporters ran; the exit handler comes after them.
    process.once('exit', () => process.stdout.write(`${this.line}\n`))
  }
}
