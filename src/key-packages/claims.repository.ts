import { type Sql, callFunction } from '../platform/postgres/sql.js'

/** What a claimer takes: suites in order of preference, and what the leaf's capabilities must list. */
export interface Wanted {
  cipherSuites: readonly number[]
  extensions: readonly number[]
  proposals: readonly number[]
  credentials: readonly number[]
}

export interface ClaimedKeyPackage {
  deviceId: bigint
  cipherSuite: number
  lastResort: boolean
  ref: Buffer
  /** The MLSMessage as uploaded. */
  bytes: Buffer
}

/** Who claims, of any provider. */
export interface Claimer {
  readonly user: string
  /** Of another provider, without the target's consent and in no group with the target. */
  readonly isStranger: boolean
}

/**
 * What strangers leave of each device: the last one of a suite that is not of last resort, for users of this server and those with consent; and those
 * of one provider together have no more than a quarter of what there was, or four, until Welcomes come.
 */
const STRANGERS = { spare: 1, share: 4 }

interface ClaimRow {
  device_id: bigint
  cipher_suite: number
  last_resort: boolean | null
  ref: Buffer | null
  bytes: Buffer | null
  low: boolean
}

/**
 * Takes at most one KeyPackage per device, each handed out once over all nodes; see `claim_key_packages` and
 * docs/adr/0005-claiming-key-packages.md.
 * @param low below this many left, a device gets `key-packages.low`
 * @param claimer the user who claims; a stranger leaves some to others
 * @returns also the devices that got it: hint their inboxes, after COMMIT
 */
export async function claimKeyPackages(
  sql: Sql,
  deviceIds: readonly bigint[],
  wanted: Wanted,
  low: number,
  claimer: Claimer | null = null,
): Promise<{ claimed: ClaimedKeyPackage[]; notified: bigint[] }> {
  const { call, values } = callFunction('claim_key_packages', {
    p_devices: deviceIds,
    p_suites: wanted.cipherSuites,
    p_extensions: wanted.extensions,
    p_proposals: wanted.proposals,
    p_credentials: wanted.credentials,
    p_low: low,
    p_claimer: claimer?.user ?? null,
    p_spare: claimer?.isStranger ? STRANGERS.spare : 0,
    p_share: STRANGERS.share,
  })
  const { rows } = await sql.query<ClaimRow>({
    name: 'claim_key_packages',
    text: `SELECT device_id, cipher_suite, last_resort, ref, bytes, low FROM ${call}`,
    values,
  })
  return { claimed: rows.flatMap(toClaimed), notified: rows.filter((row) => row.low).map((row) => row.device_id) }
}

/** Which of these devices have a KeyPackage that could be handed out, of any suite. @param suites to a stranger: but for those of these, which are kept */
export async function havingKeyPackages(sql: Sql, deviceIds: readonly bigint[], suites: readonly number[] = []): Promise<Set<bigint>> {
  const { rows } = await sql.query<{ deviceId: bigint }>({
    name: 'having_key_packages',
    text: `SELECT DISTINCT device_id AS "deviceId" FROM key_package k WHERE device_id = ANY($1) AND expires_at > now()
              AND NOT EXISTS (SELECT FROM key_package x
                               WHERE x.device_id = k.device_id AND x.cipher_suite = ANY($2::integer[]) AND NOT x.last_resort AND x.expires_at > now())`,
    values: [deviceIds, suites],
  })
  return new Set(rows.map(({ deviceId }) => deviceId))
}

function toClaimed(row: ClaimRow): ClaimedKeyPackage[] {
  const { ref, bytes, last_resort: lastResort } = row
  if (ref === null || bytes === null || lastResort === null) return []
  return [{ deviceId: row.device_id, cipherSuite: row.cipher_suite, lastResort, ref, bytes }]
}

/**
 * Where Welcomes to these KeyPackageRefs go (RFC 9420 §12.4.3.1); keys are hex. Only what was handed out is found, until a
 * day after its expiry: the caller decides what an expired one is still good for.
 */
export async function routeRefs(sql: Sql, refs: readonly Uint8Array[]): Promise<Map<string, { deviceId: bigint; expiresAt: Date }>> {
  const { rows } = await sql.query<{ ref: Buffer; device_id: bigint; expires_at: Date }>({
    name: 'route_refs',
    text: 'SELECT ref, device_id, expires_at FROM key_package_claim WHERE ref = ANY ($1)',
    values: [refs.map((ref) => Buffer.from(ref))],
  })
  return new Map(rows.map((row) => [row.ref.toString('hex'), { deviceId: row.device_id, expiresAt: row.expires_at }]))
}
