import { callFunction, type Sql } from '../platform/postgres/sql.js'
import type { CheckedKeyPackage } from './check-key-package.js'

export type StoreOutcome = 'stored' | 'revoked' | 'too-many' | 'role'

/**
 * Stores all or nothing, in one round trip; `store_key_packages` explains the outcomes.
 * @param max KeyPackages that are kept for a device, without those of last resort
 * @param low below this many a device gets `key-packages.low`
 */
export async function storeKeyPackages(
  sql: Sql,
  deviceId: bigint,
  keyPackages: readonly CheckedKeyPackage[],
  { max, low }: { max: number; low: number },
): Promise<StoreOutcome> {
  const { call, values } = callFunction('store_key_packages', {
    p_device: deviceId,
    p_max: max,
    p_low: low,
    p_suites: keyPackages.map((item) => item.cipherSuite),
    p_last_resort: keyPackages.map((item) => item.lastResort),
    p_expires_at: keyPackages.map((item) => item.expiresAt),
    p_refs: keyPackages.map((item) => Buffer.from(item.ref)),
    p_keys: keyPackages.map((item) => Buffer.from(item.signatureKey)),
    p_extensions: keyPackages.map((item) => arrayLiteral(item.extensions)),
    p_proposals: keyPackages.map((item) => arrayLiteral(item.proposals)),
    p_credentials: keyPackages.map((item) => arrayLiteral(item.credentials)),
    p_bytes: keyPackages.map((item) => Buffer.from(item.bytes)),
  })
  const { rows } = await sql.query<{ outcome: StoreOutcome }>({ name: 'store_key_packages', text: `SELECT ${call} AS outcome`, values })
  const outcome = rows[0]?.outcome
  if (outcome === undefined) throw new Error('store_key_packages returned nothing')
  return outcome
}

function arrayLiteral(numbers: readonly number[]): string {
  return `{${numbers.join(',')}}`
}

export interface SuiteCount {
  cipherSuite: number
  available: number
  lastResort: boolean
}

/** What of each suite could be claimed now, by PostgreSQL's clock; suites without any are left out. */
export async function countKeyPackages(sql: Sql, deviceId: bigint): Promise<SuiteCount[]> {
  const { rows } = await sql.query<SuiteCount>({
    name: 'count_key_packages',
    text: `SELECT cipher_suite AS "cipherSuite",
                  count(*) FILTER (WHERE NOT last_resort)::integer AS available,
                  bool_or(last_resort) AS "lastResort"
             FROM key_package
            WHERE device_id = $1 AND expires_at > clock_timestamp()
            GROUP BY cipher_suite ORDER BY cipher_suite`,
    values: [deviceId],
  })
  return rows
}

/**
 * Deletes one by its KeyPackageRef (RFC 9420 §5.2), or all without `ref`. What was handed out before stays handed out: its Welcomes are
 * still routed. @returns how many went
 */
export async function deleteKeyPackages(sql: Sql, deviceId: bigint, ref?: Uint8Array): Promise<number> {
  const { rowCount } = await sql.query({
    name: 'delete_key_packages',
    text: 'DELETE FROM key_package WHERE device_id = $1 AND ($2::bytea IS NULL OR ref = $2)',
    values: [deviceId, ref === undefined ? null : Buffer.from(ref)],
  })
  return rowCount ?? 0
}

/**
 * Removes up to `limit` expired KeyPackages, those of revoked devices, and claims past their time.
 * @returns how many, and the devices that got `key-packages.low`: hint their inboxes, after COMMIT
 */
export async function purgeKeyPackages(
  sql: Sql,
  { limit, low }: { limit: number; low: number },
): Promise<{ purged: number; notified: bigint[] }> {
  const { call, values } = callFunction('purge_key_packages', { p_limit: limit, p_low: low })
  const { rows } = await sql.query<{ purged: bigint; notified: bigint[] }>({
    name: 'purge_key_packages',
    text: `SELECT purged, told AS notified FROM ${call}`,
    values,
  })
  return { purged: Number(rows[0]?.purged ?? 0), notified: rows[0]?.notified ?? [] }
}
