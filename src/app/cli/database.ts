import { retireTokenKeys } from '../../authentication/keys/token-keys.repository.js'
import { retireIssuerKeys } from '../../tokens/keys/issuer-keys.repository.js'
import { transaction, type Sql } from '../../platform/postgres/sql.js'
import { directDatabaseUrl, loadConfig } from '../../platform/config/config.js'
import { migrate } from '../../platform/postgres/migrate.js'
import { print, type Command, withDatabase } from './command.js'

/** Every group and KeyPackage there is: as long as it takes, within reason. */
const RECOVERY_TIMEOUT_MS = 24 * 3_600_000

/**
 * After a restore or an asynchronous failover: sequence numbers and epochs that clients saw may be handed out again, so
 * every group gets a new incarnation and its devices are told to resync. A KeyPackage in the restored state may have been
 * claimed before, and one must never serve twice (RFC 9420 §16.8): they all go, and devices upload new ones. Access tokens
 * end as well: a device id that was lost to the restore may be given to another device. Send tokens of the keys so far were perhaps
 * spent since the backup: none of them is taken any more.
 */
export const recovered: Command = {
  name: 'recovered',
  usage: '                     After a restore: new incarnations, no stale KeyPackages, devices resync.',
  async run() {
    const work = async (sql: Sql) => {
      await retireTokenKeys(sql, 0, 0)
      await retireIssuerKeys(sql)
      const { rows } = await sql.query<{ groups: bigint }>('SELECT recovered() AS groups')
      return rows[0]?.groups ?? 0n
    }
    const groups = await withDatabase((pool) => transaction(pool, work, { statementTimeout: RECOVERY_TIMEOUT_MS }))
    print(`${groups} groups have a new incarnation, unclaimed KeyPackages are gone. Start the servers again.`)
  },
}

export const migrateCommand: Command = {
  name: 'migrate',
  usage: '                       Bring the database of DATABASE_URL to this release.',
  async run() {
    const applied = await migrate(directDatabaseUrl(loadConfig(process.env)))
    print(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`)
  },
}
