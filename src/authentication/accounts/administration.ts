import { randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { transaction, type Sql } from '../../platform/postgres/sql.js'
import { markRevoked } from '../devices/devices.repository.js'
import { deleteRefreshTokens } from '../refresh/refresh-tokens.repository.js'
import { findEnabledAccount, insertAccount, lockAccount } from './accounts.repository.js'
import { enableAccount } from './administration.repository.js'
import { insertInvite } from './invites.repository.js'
import type { ErasedNames } from './erased-names.js'
import { sha256 } from '../../protocol/sha256.js'

// What an operator does from the command line. Codes are shown once and stored as hashes.

export interface IssuedCode {
  readonly code: string
  readonly expiresAt: Date
}

/** An account without devices, and the code that its first device registers with. Undefined if the name is taken. @throws NameTaken while it is in quarantine */
export async function createAccount(pool: Pool, names: ErasedNames, user: string, lifetimeMs: number): Promise<IssuedCode | undefined> {
  const code = newInviteCode()
  return transaction(pool, async (sql) => {
    const accountId = await insertAccount(sql, user)
    if (accountId === undefined) return undefined
    await names.claim(sql, accountId, user)
    return { code, expiresAt: await insertInvite(sql, { codeHash: hashOfCode(code), accountId, uses: 1, lifetimeMs }) }
  })
}

/** A code for `uses` new accounts. */
export async function createInvite(pool: Pool, uses: number, lifetimeMs: number): Promise<IssuedCode> {
  const code = newInviteCode()
  return { code, expiresAt: await insertInvite(pool, { codeHash: hashOfCode(code), accountId: undefined, uses, lifetimeMs }) }
}

/** A code for one more device of an account, such as one that has lost all of its own. Undefined if there is no such enabled account. */
export async function createDeviceInvite(pool: Pool, user: string, lifetimeMs: number): Promise<IssuedCode | undefined> {
  const accountId = await findEnabledAccount(pool, user)
  if (accountId === undefined) return undefined
  const code = newInviteCode()
  return { code, expiresAt: await insertInvite(pool, { codeHash: hashOfCode(code), accountId, uses: 1, lifetimeMs }) }
}

/**
 * Revokes a device, or all of an account, from the command line. A running server hears no hint of it: it refuses their requests within a second,
 * and finds the rest (streams, Removes) by its sweeps.
 * @param deviceId undefined for all
 * @returns how many were active until now
 */
export function revokeByOperator(pool: Pool, accountId: bigint, deviceId: bigint | undefined): Promise<number> {
  return transaction(pool, async (sql) => {
    await lockAccount(sql, accountId)
    return endDevices(sql, accountId, deviceId)
  })
}

async function endDevices(sql: Sql, accountId: bigint, deviceId: bigint | undefined): Promise<number> {
  const revoked = await markRevoked(sql, accountId, deviceId === undefined ? undefined : [deviceId])
  await deleteRefreshTokens(sql, revoked)
  return revoked.length
}

/**
 * Takes back that an account was disabled. What ended by it stays ended: devices that the server had no time to revoke are revoked now, as
 * their removal from groups was proposed already.
 * @returns false if the account is not disabled, or is being deleted
 */
export function enableByOperator(pool: Pool, accountId: bigint): Promise<boolean> {
  return transaction(pool, async (sql) => {
    await lockAccount(sql, accountId)
    const enabled = await enableAccount(sql, accountId)
    if (enabled) await endDevices(sql, accountId, undefined)
    return enabled
  })
}

/** 160 bits: nobody guesses one, so a plain hash of it can be stored and looked up. */
const CODE_BYTES = 20

/** Base64url without padding, to be typed in or sent as a link. */
export function newInviteCode(): string {
  return randomBytes(CODE_BYTES).toString('base64url')
}

/** What is stored of an invite code: 32 bytes. */
export function hashOfCode(code: string): Uint8Array {
  return sha256('microchat invite v1\0', code)
}
