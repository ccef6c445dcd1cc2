import { GenericContainer, Wait } from 'testcontainers'
import { createPool } from '../../src/platform/postgres/sql.js'
import { migrate } from '../../src/platform/postgres/migrate.js'
import type { TestDatabase } from './database.js'

const PORT = 5432
const PASSWORD = 'only-in-tests'

/** A database with all migrations in a PostgreSQL of its own. `drop` ends the container. @param version major version, as the image's tag has it */
export async function startPostgresContainer(version: number): Promise<TestDatabase> {
  const container = await new GenericContainer(`postgres:${version}-bookworm`)
    .withEnvironment({ POSTGRES_PASSWORD: PASSWORD, POSTGRES_INITDB_ARGS: '--locale=C.UTF-8' })
    .withExposedPorts(PORT)
    .withTmpFs({ '/var/lib/postgresql': 'rw' })
    // Over TCP: while the database is being made, PostgreSQL listens on its socket only.
    .withHealthCheck({
      test: ['CMD', 'pg_isready', '--quiet', '--host=127.0.0.1', '--username=postgres'],
      interval: 1_000,
      timeout: 3_000,
      retries: 60,
    })
    .withWaitStrategy(Wait.forHealthCheck())
    .start()
  const url = `postgres://postgres:${PASSWORD}@${container.getHost()}:${container.getMappedPort(PORT)}/postgres`
  await migrate(url)
  const pool = createPool(url, { max: 10, prepare: true })
  const drop = async () => {
    await pool.end()
    await container.stop()
  }
  return { url, pool, drop }
}
