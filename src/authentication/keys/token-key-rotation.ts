import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import { Pool } from 'pg'
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { transaction, POOL } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { Events } from '../../platform/observability/events.js'
import { tokenKeyRotated } from '../authentication.events.js'
import {
  insertTokenKey,
  lockTokenKeys,
  readTokenKeys,
  retireTokenKeys,
  rotatedWithin,
  type NewTokenKey,
  deleteTokenKeysPast,
} from './token-keys.repository.js'

/** A new key is published this long before it signs: longer than caches of the JWK Set and key rings on nodes live. */
const LEAD_MS = 10 * 60_000
/** A retired key is published until its last token has expired, and a little for clocks. */
const MARGIN_MS = 60_000

export const TOKEN_KEY_PURPOSE = 'token signing key v1'

/** A key pair for a row of token_signing_key, its private half sealed; the key id is its thumbprint (RFC 7638). */
export async function newTokenKey(secrets: Secrets): Promise<NewTokenKey> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('ed25519')
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  const sealedPrivate = secrets.seal(TOKEN_KEY_PURPOSE, privateKey.export({ type: 'pkcs8', format: 'der' }))
  return { kid, publicJwk: { ...jwk, kid, alg: 'EdDSA', use: 'sig' }, sealedPrivate }
}

/**
 * A planned rotation: the new key signs after ten minutes, and tokens of the old one live out their lives.
 * @param unlessWithinMs do nothing if the newest key is younger; 0: only if it does not sign yet
 * @returns whether a new key was made
 */
export async function rotateTokenKey(pool: Pool, secrets: Secrets, accessTokenTtlMs: number, unlessWithinMs = 0): Promise<boolean> {
  const key = await newTokenKey(secrets)
  return transaction(pool, async (sql) => {
    await lockTokenKeys(sql)
    if (await rotatedWithin(sql, unlessWithinMs)) return false
    const leadMs = (await readTokenKeys(sql)).some(({ signs }) => signs) ? LEAD_MS : 0
    await retireTokenKeys(sql, leadMs, accessTokenTtlMs + MARGIN_MS)
    await insertTokenKey(sql, key, leadMs)
    return true
  })
}

/** After a compromise: all access tokens end, within seconds on every node. Sessions continue by their refresh tokens. */
export async function replaceTokenKeyNow(pool: Pool, secrets: Secrets): Promise<void> {
  const key = await newTokenKey(secrets)
  await transaction(pool, async (sql) => {
    await lockTokenKeys(sql)
    await retireTokenKeys(sql, 0, 0)
    await insertTokenKey(sql, key, 0)
  })
}

const HOUR_MS = 3_600_000
/** How old a signing key grows. */
const ROTATE_AFTER_MS = 30 * 24 * HOUR_MS

/** Changes the key that access tokens are signed with, now and then, without anybody's asking. */
@Injectable()
export class TokenKeyRotation implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'ACCESS_TOKEN_TTL'>,
    private readonly secrets: Secrets,
    private readonly jobs: Jobs,
    private readonly events: Events,
  ) {}

  onModuleInit(): void {
    this.jobs.every('token-keys.rotate_v1', HOUR_MS, () => this.run())
  }

  /** A server without any key makes its first one when it first signs, not here. */
  async run(): Promise<void> {
    await deleteTokenKeysPast(this.pool)
    const rotated = await rotateTokenKey(this.pool, this.secrets, this.config.ACCESS_TOKEN_TTL, ROTATE_AFTER_MS)
    if (rotated) tokenKeyRotated(this.events)
  }
}
