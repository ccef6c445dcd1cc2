import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { transaction } from '../../platform/postgres/sql.js'
import type { Secrets } from '../../platform/secrets.js'
import {
  deleteProviderKeysPast,
  insertProviderKey,
  lockProviderKeys,
  readProviderKeys,
  retireProviderKeys,
  rotationUnderWay,
  type NewProviderKey,
} from './provider-keys.repository.js'

export const PROVIDER_KEY_PURPOSE = 'provider key'

/** The first key, unless another node has made it. */
export async function makeFirstProviderKey(pool: Pool, secrets: Secrets): Promise<void> {
  await transaction(pool, async (sql) => {
    await lockProviderKeys(sql)
    if ((await readProviderKeys(sql)).length === 0) await insertProviderKey(sql, newProviderKey(secrets), 0)
  })
}

/**
 * A new key, published at once, that signs after `leadMs`: by then every peer's copy of our directory has it. The old ones stop
 * then, and stay published for `overlapMs`, so that what they signed last can still be checked.
 * Without a lead there is no waiting for a rotation that is under way: its key will not sign.
 * @returns false if a rotation is under way
 */
export async function rotateProviderKey(pool: Pool, secrets: Secrets, leadMs: number, overlapMs: number): Promise<boolean> {
  return transaction(pool, async (sql) => {
    await lockProviderKeys(sql)
    if (leadMs > 0 && (await rotationUnderWay(sql))) return false
    await deleteProviderKeysPast(sql)
    await retireProviderKeys(sql, leadMs, overlapMs)
    await insertProviderKey(sql, newProviderKey(secrets), leadMs)
    return true
  })
}

function newProviderKey(secrets: Secrets): NewProviderKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const { x = '' } = publicKey.export({ format: 'jwk' })
  return {
    keyId: randomBytes(9).toString('base64url'),
    publicKey: Buffer.from(x, 'base64url'),
    sealedPrivate: secrets.seal(PROVIDER_KEY_PURPOSE, privateKey.export({ format: 'der', type: 'pkcs8' })),
  }
}
