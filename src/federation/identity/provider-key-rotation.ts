import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { transaction, type Sql } from '../../platform/postgres/sql.js'
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
 * @returns false if a rotation is under way
 */
export async function rotateProviderKey(pool: Pool, secrets: Secrets, leadMs: number, overlapMs: number): Promise<boolean> {
  return transaction(pool, async (sql) => {
    await lockProviderKeys(sql)
    if (leadMs > 0 && (await rotationUnderWay(sql))) return false
    await replace(sql, newProviderKey(secrets), leadMs, overlapMs)
    return true
  })
}

/**
 * After a theft: a new key signs at once, and no other is in the directory any more. Peers drop the others with it, for good. Those still
 * sign the document, so that peers that know only one of them learn of the new key. A rotation that is under way is dropped.
 */
export async function withdrawProviderKeys(pool: Pool, secrets: Secrets): Promise<void> {
  await transaction(pool, async (sql) => {
    await lockProviderKeys(sql)
    await replace(sql, newProviderKey(secrets), 0, 0)
  })
}

async function replace(sql: Sql, key: NewProviderKey, leadMs: number, overlapMs: number): Promise<void> {
  await deleteProviderKeysPast(sql)
  await retireProviderKeys(sql, leadMs, overlapMs)
  await insertProviderKey(sql, key, leadMs)
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
