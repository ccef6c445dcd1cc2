import { randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import type { Wanted } from '../../src/key-packages/claims.repository.js'
import { storeKeyPackages, type StoreOutcome } from '../../src/key-packages/key-packages.repository.js'
import type { CheckedKeyPackage } from '../../src/key-packages/check-key-package.js'

const DAY_MS = 86_400_000

export interface TestDevice {
  deviceId: bigint
  signatureKey: Buffer
}

/** A registered device of its own user. */
export async function newDevice(pool: Pool): Promise<TestDevice> {
  const name = randomBytes(8).toString('hex')
  const signatureKey = randomBytes(32)
  const { rows } = await pool.query<{ id: bigint }>(
    `WITH user_of AS (INSERT INTO account (user_uri) VALUES ($1) RETURNING id),
          device_of AS (INSERT INTO device (account_id, client_uri) SELECT id, $2 FROM user_of RETURNING id),
          key_of AS (INSERT INTO signature_key (device_id, scheme, public_key) SELECT id, 2055, $3 FROM device_of)
     SELECT id FROM device_of`,
    [`mimi://localhost/u/${name}`, `mimi://localhost/d/${name}/phone`, signatureKey],
  )
  return { deviceId: rows[0]!.id, signatureKey }
}

/** Random bytes stand for a KeyPackage: what is in it was judged before it got here. */
export function checked(device: TestDevice, changes: Partial<CheckedKeyPackage> = {}): CheckedKeyPackage {
  return {
    ref: randomBytes(32),
    certificate: undefined,
    cipherSuite: 1,
    lastResort: false,
    expiresAt: new Date(Date.now() + DAY_MS),
    signatureKey: device.signatureKey,
    extensions: [],
    proposals: [],
    credentials: [1],
    bytes: randomBytes(300),
    ...changes,
  }
}

export function manyChecked(count: number, device: TestDevice, changes: Partial<CheckedKeyPackage> = {}): CheckedKeyPackage[] {
  return Array.from({ length: count }, () => checked(device, changes))
}

export function store(
  pool: Pool,
  device: TestDevice,
  keyPackages: CheckedKeyPackage[],
  { max = 500, low = 0 } = {},
): Promise<StoreOutcome> {
  return storeKeyPackages(pool, device.deviceId, keyPackages, { max, low })
}

export function wanting(changes: Partial<Wanted> = {}): Wanted {
  return { cipherSuites: [1], extensions: [], proposals: [], credentials: [], ...changes }
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Resolves once some backend waits for a lock that `blocker` holds. */
export async function untilBlocked(pool: Pool, blocker: number): Promise<void> {
  for (;;) {
    const { rows } = await pool.query('SELECT 1 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))', [blocker])
    if (rows.length > 0) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
