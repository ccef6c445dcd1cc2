import { describe, expect, it } from '@jest/globals'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { Client } from 'pg'
import { ConfigError } from '../platform/config/config.js'
import { ConnectionBudgetError } from '../platform/postgres/connections/check.js'
import { NoWritableHost } from '../platform/postgres/client/postgres-target.js'
import { EmbeddedPostgresError } from './embedded/embedded-error.js'
import { explainFailure } from './explain-failure.js'

const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('a failed start', () => {
  it('says which settings are wrong', () => {
    expect(explainFailure(new ConfigError(['PORT must be set.']))).toBe('The configuration is not usable:\n  - PORT must be set.')
  })
  it('says that the port is taken', async () => {
    const first = createServer().listen(0, '127.0.0.1')
    await once(first, 'listening')
    const { port } = first.address() as AddressInfo
    const second = createServer()
    second.listen(port, '127.0.0.1')
    const [error] = (await once(second, 'error').catch((thrown: unknown) => [thrown])) as [unknown]
    first.close()
    expect(explainFailure(error)).toMatch(
      /^Another program listens on 127\.0\.0\.1:\d+ already\. Stop it, or set another PORT or OPERATIONS_PORT\.$/,
    )
  })
  it.each(['postgres://u:hunter2@127.0.0.1:1/x', 'postgres://u:hunter2@localhost:1/x'])(
    'says that PostgreSQL cannot be reached (%s), without the password',
    async (connectionString) => {
      const text = explainFailure(await failureOf(new Client({ connectionString }).connect()))
      expect(text).toMatch(/^PostgreSQL cannot be reached \(ECONNREFUSED\)\. Check DATABASE_URL/)
      expect(text).not.toContain('hunter2')
    },
  )
  it('says that PostgreSQL refuses the password', () => {
    expect(explainFailure(Object.assign(new Error('x'), { code: '28P01' }))).toContain('refuses this user, password or database (28P01)')
  })
  it('says that there is no such file of certificates', () => {
    const connectionString = 'postgres://u:hunter2@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/nowhere/ca.crt'
    let thrown: unknown
    try {
      void new Client({ connectionString })
    } catch (error) {
      thrown = error
    }
    expect(explainFailure(thrown)).toBe('There is no file /nowhere/ca.crt. Check sslrootcert, sslcert and sslkey of DATABASE_URL.')
  })
  it.each(['ERR_TLS_CERT_ALTNAME_INVALID', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_HAS_EXPIRED'])(
    "says that PostgreSQL's certificate does not hold (%s)",
    (code) => {
      expect(explainFailure(Object.assign(new Error('x'), { code }))).toContain(`certificate is not to be trusted (${code})`)
    },
  )
  it.each([Object.assign(new Error('x'), { code: 'ETIMEDOUT', syscall: 'connect' }), new Error('timeout expired')])(
    'says that PostgreSQL does not answer (%s)',
    (error) => {
      expect(explainFailure(error)).toMatch(/^PostgreSQL does not answer\. Check the host of DATABASE_URL/)
    },
  )
  it('says that nothing takes writes', () => {
    expect(explainFailure(Object.assign(new Error('x'), { code: '25006' }))).toMatch(/^PostgreSQL takes no writes: it is a standby/)
    expect(explainFailure(new NoWritableHost())).toBe('None of the hosts in DATABASE_URL takes writes now.')
  })
  it('says that PostgreSQL is full, or would be', () => {
    expect(explainFailure(Object.assign(new Error('x'), { code: '53300' }))).toContain('no connection left for us (53300)')
    expect(explainFailure(new ConnectionBudgetError('PostgreSQL gives 97.'))).toBe('PostgreSQL gives 97.')
  })
  it.each([
    ['EACCES', 'This user may not use /data/postgres (EACCES). Check its owner'],
    ['EPERM', 'This user may not use /data/postgres (EPERM).'],
    ['EROFS', '/data/postgres is on a file system that takes no writes'],
    ['EEXIST', '/data/postgres is needed as a folder'],
    ['ENOTDIR', '/data/postgres is needed as a folder'],
    ['ENOSPC', 'There is no room left on the disk for /data/postgres (ENOSPC).'],
  ])('says in one sentence what is wrong with a folder: %s', (code, sentence) => {
    const text = explainFailure(Object.assign(new Error(`${code}: x`), { code, syscall: 'mkdir', path: '/data/postgres' }))
    expect(text).toContain(sentence)
    expect(text).not.toContain('\n')
  })
  it('says that the data folder is in use', () => {
    const sentence = 'Another MicroChat server is using ./data.'
    expect(explainFailure(new EmbeddedPostgresError(sentence))).toBe(sentence)
  })
  it('shows where an unforeseen error came from', () => {
    expect(explainFailure(new TypeError('odd'))).toMatch(/TypeError: odd\n +at /)
  })
})
