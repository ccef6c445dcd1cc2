import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll } from '@jest/globals'
import { Client, DatabaseError, type Pool } from 'pg'
import { createPool } from '../../src/platform/postgres/sql.js'

export interface TestDatabase {
  url: string
  pool: Pool
  /** Closes the pool and drops the database, no matter who else is still connected to it. */
  drop(): Promise<void>
}

/** A fresh database with all migrations: a clone of the run's template, made in about 50 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`
  await asAdmin(`CREATE DATABASE ${name} TEMPLATE ${setting('TEST_TEMPLATE')}`)
  const url = new URL(setting('TEST_ADMIN_URL'))
  url.pathname = `/${name}`
  const pool = createPool(url.href, { max: 10, prepare: true })
  const drop = async (): Promise<void> => {
    await pool.end()
    await dropDatabase(name)
  }
  return { url: url.href, pool, drop }
}

/** A database for all tests of the calling file or `describe`. Its properties are there from the first `beforeAll` on. */
export function useTestDatabase(): Pick<TestDatabase, 'url' | 'pool'> {
  let database: TestDatabase | undefined
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(() => database?.drop())
  const present = (): TestDatabase => {
    if (!database) throw new Error('The test database exists only while tests and their hooks run')
    return database
  }
  return {
    get url() {
      return present().url
    },
    get pool() {
      return present().pool
    },
  }
}

/** Of PostgreSQL: somebody is connected; one of its own processes is, whom we may not end. Both pass. */
const PASSING = new Set(['55006', '42501'])
const ATTEMPTS = 20

/** Sessions that are about to end may end, for which PostgreSQL waits five seconds; those that stay are cut off. */
async function dropDatabase(name: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await asAdmin(`DROP DATABASE IF EXISTS ${name} ${attempt > 1 ? 'WITH (FORCE)' : ''}`)
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof DatabaseError) || !PASSING.has(error.code ?? '')) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

async function asAdmin(statement: string): Promise<void> {
  const admin = new Client({ connectionString: setting('TEST_ADMIN_URL') })
  await admin.connect()
  try {
    // Cloning can wait for another clone of the same template; the role's time-outs are too tight for a busy machine.
    await admin.query('SET statement_timeout = 0; SET lock_timeout = 0')
    await admin.query(statement)
  } finally {
    await admin.end()
  }
}

function setting(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: run tests by "npm test -- FILE"`)
  return value
}

/** A database whose sessions wait for locks longer than any test lasts: there no limit of time decides. */
export async function createPatientDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase()
  const { rows } = await database.pool.query<{ name: string }>('SELECT current_database() AS name')
  for (const setting of ['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'])
    await database.pool.query(`ALTER ROLE CURRENT_USER IN DATABASE "${rows[0]!.name}" SET ${setting} = '300s'`)
  return database
}
