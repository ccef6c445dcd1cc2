import { retireTokenKeys } from '../../authentication/keys/token-keys.repository.js'
import { retireIssuerKeys } from '../../tokens/keys/issuer-keys.repository.js'
import { transaction, type Sql } from '../../platform/postgres/sql.js'
import { directDatabaseUrl, loadConfig } from '../../platform/config/config.js'
import { migrate } from '../../platform/postgres/migrate.js'
import { print, type Command, withDatabase } from './command.js'

/** recovered() updates every group and deletes every KeyPackage, so it may run long. */
const RECOVERY_TIMEOUT_MS = 24 * 3_600_000

/**
 * After a restore or an asynchronous failover: sequence numbers and epochs that clients saw may be assigned again, so every
 * group at home here gets a new incarnation, and the devices of all groups get a resync. A KeyPackage in the restored state
 * may have been claimed before and must not be used twice (RFC 9420 §16.8), so all are deleted, and devices upload new ones.
 * Access tokens are invalidated: a device id that the restore lost may be reassigned. Issuer keys are retired: their send
 * tokens may have been spent since the backup.
 */
export const recovered: Command = {
  name: 'recovered',
  usage: '                     After a restore: new incarnations, no stale KeyPackages, devices resync.',
  async run() {
    const work = async (sql: Sql) => {
      // At once, with no overlap.
      await retireTokenKeys(sql, 0, 0)
      await retireIssuerKeys(sql)
      const { rows } = await sql.query<{ groups: bigint }>('SELECT recovered() AS groups')
      return rows[0]?.groups ?? 0n
    }
    const groups = await withDatabase((pool) => transaction(pool, work, { statementTimeout: RECOVERY_TIMEOUT_MS }))
    print(`New incarnation for ${groups} groups; all unclaimed KeyPackages deleted. Start the servers again.`)
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
