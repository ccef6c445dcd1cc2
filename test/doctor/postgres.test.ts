import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, type ClientConfig } from 'pg'
import { examineTransactions } from '../../src/app/cli/doctor/database/server.js'
import { findCluster } from '../../src/app/embedded/cluster-folder.js'
import { readSecrets } from '../../src/app/embedded/cluster-secrets.js'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/app/embedded/embedded-postgres.js'
import { migrate } from '../../src/platform/postgres/migrate.js'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startServer } from '../support/server.js'
import { examined, soundSettings } from './doctor-fixture.js'

const clients: Client[] = []
async function connect(config: ClientConfig | string): Promise<Client> {
  const client = new Client(config)
  client.on('error', () => undefined)
  await client.connect()
  clients.push(client)
  return client
}
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)))
})

/** A PostgreSQL of its own for what only its superuser may set. */
function useCluster(settings: Record<string, string>) {
  let postgres: EmbeddedPostgres | undefined
  let superuser = ''
  beforeAll(async () => {
    const DATA_DIR = await mkdtemp(join(process.env['TEST_RUN_FOLDER'] ?? '', 'doctor-'))
    postgres = await startEmbeddedPostgres({ DATA_DIR }, { settings })
    await migrate(postgres.url)
    const { port, superuserPassword } = await readSecrets(await findCluster(DATA_DIR))
    superuser = `postgres://postgres:${superuserPassword}@127.0.0.1:${port}/microchat`
  })
  afterAll(() => postgres?.stop())
  return {
    examined: (overrides = {}) => examined(soundSettings(postgres?.url ?? '', overrides)),
    /** One that waits for no standby, where the others do. */
    asSuperuser: (config: ClientConfig = {}) => connect({ connectionString: superuser, options: '-c synchronous_commit=local', ...config }),
  }
}

describe('connections', () => {
  const database = useTestDatabase()

  it('are compared with what PostgreSQL allows, and with what is open', async () => {
    const { code, of } = await examined(soundSettings(database.url))
    const [first, ...others] = of('connections')
    expect(first).toMatch(
      /^ok: This deployment may open 23 of \d+ connections \(1 api and worker process with 21 each, and 2 for migrations and commands\); open now: \d+ of this role in this database, \d+ others\.$/,
    )
    expect(others).toEqual([])
    expect(code).toBe((await durable()) ? 0 : 1)
  })
  it('that cannot all be opened are a problem', async () => {
    const { code, of } = await examined(soundSettings(database.url, { API_NODES: '900' }))
    expect(of('connections')).toEqual([
      expect.stringMatching(/^problem: PostgreSQL gives this deployment \d+ connections .*it may open 18902/),
    ])
    expect(code).toBe(1)
  })
  it('of others are counted', async () => {
    await connect(process.env['TEST_ADMIN_URL'] ?? '')
    const limit = Number((await database.pool.query<{ n: string }>("SELECT current_setting('max_connections') AS n")).rows[0]?.n) - 3
    const { of } = await examined(soundSettings(database.url, { ROLE: 'api', PG_POOL_API: String(limit - 4 - 3 - 2) }))
    expect(of('connections')).toContainEqual(expect.stringMatching(/^warning: Others hold \d+ of \d+ connections/))
  })
  it('that the settings do not explain are reported', async () => {
    for (let open = 0; open < 25; open++) await connect(database.url)
    expect((await examined(soundSettings(database.url))).of('connections')).toContainEqual(
      expect.stringMatching(/^warning: \d+ connections of this role are open, more than these settings explain \(23\)/),
    )
  })

  async function durable(): Promise<boolean> {
    return (await database.pool.query<{ fsync: string }>('SHOW fsync')).rows[0]?.fsync === 'on'
  }
})

describe('sealed keys', () => {
  it('open with the secret they were sealed under, and no other', async () => {
    const server = await startServer()
    try {
      await fetch(`${server.url}/.well-known/jwks.json`)
      const { DATABASE_URL = '', SERVER_SECRET = '' } = server.config
      const right = await examined(soundSettings(DATABASE_URL, { SERVER_SECRET }))
      expect(right.of('sealed keys')).toEqual(['ok: SERVER_SECRET opens the keys in this database.'])
      const wrong = await examined(soundSettings(DATABASE_URL))
      expect(wrong.of('sealed keys')).toEqual([expect.stringMatching(/^problem: SERVER_SECRET does not open (\d+) of \1 keys/)])
      expect(wrong.code).toBe(1)
    } finally {
      await server.close()
    }
  })
})

describe('a PostgreSQL that was made fast', () => {
  const off = { fsync: 'off', full_page_writes: 'off', autovacuum: 'off', wal_level: 'minimal', max_wal_senders: '0' }
  const cluster = useCluster(off)

  it('loses Commits, bloats and cannot be backed up', async () => {
    const { code, of } = await cluster.examined()
    expect(of('durability')).toContain('problem: fsync and full_page_writes are off: a crash would lose accepted Commits.')
    expect(of('maintenance')).toEqual([expect.stringMatching(/^problem: autovacuum is off/)])
    expect(of('backups')).toEqual([expect.stringMatching(/^warning: wal_level is minimal/)])
    expect(code).toBe(1)
  })
})

describe('a PostgreSQL as it should be', () => {
  const cluster = useCluster({ archive_mode: 'on', wal_level: 'replica' })

  it('has no problems, and tells its sizes', async () => {
    const { code, findings, of } = await cluster.examined()
    expect(findings.filter(({ grade }) => grade === 'problem')).toEqual([])
    expect(code).toBe(0)
    expect(of('durability')).toContain('ok: PostgreSQL keeps what it acknowledged.')
    expect(of('durability')).toContain('ok: Data pages have checksums.')
    expect(of('maintenance')).toEqual(['ok: Nothing keeps dead rows alive.'])
    expect(of('replication')).toEqual([expect.stringMatching(/^ok: No standby is connected/)])
    expect(of('facts')).toEqual([
      expect.stringMatching(/^ok: The database takes \d+ \w+, of it \d+ \w+ for some \d+ log entries; 0 groups/),
    ])
  })
  it('is warned of synchronous_commit=off on the role', async () => {
    const superuser = await cluster.asSuperuser()
    await superuser.query("ALTER ROLE microchat SET synchronous_commit = 'off'")
    expect((await cluster.examined()).of('durability')).toContainEqual(expect.stringMatching(/^problem: synchronous_commit is off/))
    await superuser.query('ALTER ROLE microchat RESET synchronous_commit')
  })
  it('replicates asynchronously: a failover would lose Commits', async () => {
    await follow()
    expect((await cluster.examined()).of('replication')).toEqual([expect.stringMatching(/^warning: 1 standbys follow asynchronously/)])
  })
  it('replicates synchronously, if a standby is there and Commits wait for it', async () => {
    const superuser = await cluster.asSuperuser()
    await superuser.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await reload(superuser, 'synchronous_standby_names', '*')
    expect((await cluster.examined()).of('replication')).toEqual([
      expect.stringMatching(/^warning: .*no standby is connected: every Commit waits/),
    ])
    await follow()
    expect((await cluster.examined()).of('replication')).toEqual(['ok: Replication is synchronous.'])
    await superuser.query("ALTER ROLE microchat SET synchronous_commit = 'local'")
    expect((await cluster.examined()).of('replication')).toEqual([expect.stringMatching(/^warning: synchronous_commit is local/)])
    await superuser.query('ALTER ROLE microchat RESET synchronous_commit')
    await superuser.query('ALTER SYSTEM RESET synchronous_standby_names')
    await reload(superuser, 'synchronous_standby_names', '')
  })
  it('has a slot whose standby is gone', async () => {
    const superuser = await cluster.asSuperuser()
    await superuser.query("SELECT pg_create_physical_replication_slot('gone', true)")
    expect((await cluster.examined()).of('maintenance')).toEqual([
      expect.stringMatching(/^warning: The replication slot gone is not in use and keeps/),
    ])
    await superuser.query("SELECT pg_drop_replication_slot('gone')")
  })
  it('archives, until that fails', async () => {
    const superuser = await cluster.asSuperuser()
    await superuser.query("ALTER SYSTEM SET archive_command = '/bin/true'")
    await reload(superuser, 'archive_command', '/bin/true')
    await superuser.query('CREATE TABLE anything ()')
    await superuser.query('SELECT pg_switch_wal()')
    await eventually(
      () => cluster.examined().then(({ of }) => of('backups')[0] ?? ''),
      (seen) => seen.startsWith('ok: WAL is archived, last at 2'),
    )
    await superuser.query("ALTER SYSTEM SET archive_command = '/bin/false'")
    await reload(superuser, 'archive_command', '/bin/false')
    await superuser.query('CREATE TABLE something ()')
    await superuser.query('SELECT pg_switch_wal()')
    await eventually(
      () => cluster.examined().then(({ of }) => of('backups')[0] ?? ''),
      (seen) => seen.startsWith('warning: Archiving WAL fails'),
    )
  })

  /** To PostgreSQL a standby is any client that speaks its replication protocol. */
  const follow = () => cluster.asSuperuser({ replication: 'database' } as ClientConfig)

  async function reload(superuser: Client, name: string, value: string): Promise<void> {
    await superuser.query('SELECT pg_reload_conf()')
    await eventually(
      async () => (await superuser.query<{ value: string }>('SELECT current_setting($1) AS value', [name])).rows[0]?.value,
      (seen) => seen === value,
    )
  }
})

describe('transactions', () => {
  const database = useTestDatabase()

  it('that have been open for long are named', async () => {
    const idle = await connect({ connectionString: database.url, application_name: 'pg_dump' })
    await idle.query('BEGIN; SELECT 1')
    const doctor = await connect(database.url)
    expect(await examineTransactions(doctor, 60_000)).toEqual([])
    expect((await examineTransactions(doctor, 0)).map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^A transaction of pg_dump has been open for 0 minutes/),
    )
  })
})

describe('a database without our tables', () => {
  it('gets one plain answer', async () => {
    const admin = await connect(process.env['TEST_ADMIN_URL'] ?? '')
    await admin.query('CREATE DATABASE doctor_empty')
    try {
      const url = Object.assign(new URL(process.env['TEST_ADMIN_URL'] ?? ''), { pathname: '/doctor_empty' }).href
      const { code, of, findings } = await examined(soundSettings(url))
      expect(of('migrations')).toEqual([expect.stringMatching(/^problem: \d+ migrations or files of functions are not applied/)])
      expect(findings.map(({ topic }) => topic)).not.toContain('facts')
      expect(of('jobs')).toEqual(['ok: No process has run jobs in this database yet.'])
      expect(code).toBe(1)
    } finally {
      await admin.query('DROP DATABASE doctor_empty WITH (FORCE)')
    }
  })
})
