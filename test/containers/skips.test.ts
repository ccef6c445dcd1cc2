import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from '@jest/globals'

const WITHOUT_ENGINE = { TEST_CONTAINERS: 'off', TEST_COMPOSE_PROJECT: '' }
const execute = promisify(execFile)

interface JestReport {
  readonly numFailedTests: number
  readonly numPassedTests: number
  readonly numRuntimeErrorTestSuites: number
  readonly testResults: readonly { readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[] }[]
}

/** What Jest reports of these files where there is no engine. Nothing else is set up for it. */
async function reported(...files: readonly string[]): Promise<JestReport> {
  const folder = await mkdtemp(join(tmpdir(), 'skips-'))
  const report = join(folder, 'report.json')
  const args = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--reporters=default', '--json', '--outputFile', report]
  try {
    // With a server that is there already, a run starts none; these tests do not get to ask it anything.
    await execute(process.execPath, [...args, ...files], {
      env: { ...process.env, ...WITHOUT_ENGINE, TEST_SERVER_URL: 'http://127.0.0.1:9' },
    })
    return JSON.parse(await readFile(report, 'utf8')) as JestReport
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

it('without a container engine, what needs one is skipped by name', async () => {
  const report = await reported('test/containers/versions', 'test/compose')
  expect(report).toMatchObject({ numFailedTests: 0, numPassedTests: 0, numRuntimeErrorTestSuites: 0 })
  const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults)
  expect(new Set(tests.map(({ status }) => status))).toEqual(new Set(['pending']))
  const names = tests.map(({ fullName }) => fullName)
  expect(names).toEqual(
    expect.arrayContaining([
      'two nodes on PostgreSQL 15 and Redis, in containers keep one history while clients race',
      'two nodes on PostgreSQL 18 and Redis, in containers keep one history while clients race',
      'the containers the proxy and the database share no network, and that of the database leads nowhere else',
      expect.stringContaining('PostgreSQL crashes'),
    ]),
  )
})

it('without a container engine, the test of the deployment says so and fails nothing', async () => {
  const { stdout } = await execute('npm', ['run', '--silent', 'test:deployment'], { env: { ...process.env, ...WITHOUT_ENGINE } })
  expect(stdout).toBe('skipped: the deployment of docker-compose.yml, as there is no container engine\n0 passed, 0 failed\n')
})
