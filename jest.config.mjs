export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/src/**/*.test.ts', '<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  // Sources import './x.js', as Node will see it; here the file is still x.ts.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // With the options of .swcrc, as the build.
  transform: { '^.+\\.ts$': '@swc/jest' },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/data/', '<rootDir>/interop/target/'],
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  reporters: ['default', '<rootDir>/tools/summary-reporter.mjs'],
  testSequencer: '<rootDir>/tools/test-sequencer.mjs',
  maxWorkers: 2,
  // Modules of finished test files are not given back; after some hundred files a worker would run out of memory.
  workerIdleMemoryLimit: '900MB',
  // For what hangs: no test fails because its machine is slow. Each wait has a deadline of its own, which says what was awaited.
  testTimeout: 600_000,
}
