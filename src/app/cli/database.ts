import { retireTokenKeys } from '../../authentication/keys/token-keys.repository.js'
import { retireIssuerKeys } from '../../tokens/keys/issuer-keys.repository.js'
import { transaction, type Sql } from '../../platform/postgres/sql.js'
import { directDatabaseUrl, loadConfig } from '../../platform/config/config.js'
import { migrate } from '../../platform/postgres/migrate.js'
import { CliError, print, type Command, withDatabase } from './command.js'

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
  usage: '[--above N]          After a restore: a new incarnation, no stale KeyPackages, devices resync.',
  async run(args) {
    const above = aboveOf(args)
    const work = async (sql: Sql) => {
      // At once, with no overlap.
      await retireTokenKeys(sql, 0, 0)
      await retireIssuerKeys(sql)
      const { rows } = await sql.query<{ bumped: bigint; incarnation: number }>('SELECT * FROM recovered(p_above => $1)', [above])
      return rows[0]
    }
    const done = await withDatabase((pool) => transaction(pool, work, { statementTimeout: RECOVERY_TIMEOUT_MS }))
    if (!done) throw new Error('recovered returned no row')
    print(`Incarnation ${done.incarnation} for ${done.bumped} groups; all unclaimed KeyPackages deleted. Start the servers again.`)
  },
}

/** The greatest incarnation that was ever in use, where PostgreSQL's clock cannot be trusted; null without the option. @throws CliError */
function aboveOf(args: readonly string[]): number | null {
  if (args.length === 0) return null
  const [option, value] = args
  if (args.length !== 2 || option !== '--above' || !/^[1-9][0-9]{0,9}$/.test(value ?? ''))
    throw new CliError('Usage: recovered [--above N]')
  return Number(value)
}

export const migrateCommand: Command = {
  name: 'migrate',
  usage: '                       Bring the database of DATABASE_URL to this release.',
  async run() {
    const applied = await migrate(directDatabaseUrl(loadConfig(process.env)))
    print(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`)
  },
}
