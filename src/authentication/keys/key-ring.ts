import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { JWK } from 'jose'
import { Pool } from 'pg'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { newTokenKey, TOKEN_KEY_PURPOSE } from './token-key-rotation.js'
import { insertTokenKey, lockTokenKeys, readTokenKeys, type StoredTokenKey } from './token-keys.repository.js'

/** Far shorter than the lead a new key is published with before it signs. */
const MAX_AGE_MS = 15_000
/** Unknown key ids may be invented by anyone; they cost at most one query in this time. */
const MIN_AGE_MS = 1_000

export interface TokenSigner {
  readonly kid: string
  readonly privateKey: KeyObject
}

/** RFC 7517 §5. */
export interface JwkSet {
  readonly keys: readonly JWK[]
}

interface Ring {
  readonly at: number
  readonly jwks: JwkSet
  readonly publicKeys: ReadonlyMap<string, KeyObject>
  readonly signer: TokenSigner | undefined
}

/** This node's view of the keys that access tokens are signed with; the keys themselves are rows that all nodes share. */
@Injectable()
export class KeyRing {
  private ring: Ring | undefined
  private loading: Promise<Ring> | undefined
  private making: Promise<void> | undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly secrets: Secrets,
  ) {}

  /** The key to sign with now. The first node that needs one makes it. */
  async signer(): Promise<TokenSigner> {
    const ring = await this.youngerThan(MAX_AGE_MS)
    if (ring.signer !== undefined) return ring.signer
    await (this.making ??= this.makeFirstKey())
    const { signer } = await this.youngerThan(MAX_AGE_MS)
    if (signer === undefined) throw new Error('No token signing key is in force, although one was just made')
    return signer
  }

  async publicKey(kid: string): Promise<KeyObject | undefined> {
    const known = (await this.youngerThan(MAX_AGE_MS)).publicKeys.get(kid)
    return known ?? (await this.youngerThan(MIN_AGE_MS)).publicKeys.get(kid)
  }

  /** The same object until the keys are read again. */
  async published(): Promise<JwkSet> {
    await this.signer()
    return (await this.youngerThan(MAX_AGE_MS)).jwks
  }

  /** Once for all who wait for it here; and what was read before it is forgotten. */
  private async makeFirstKey(): Promise<void> {
    try {
      const key = await newTokenKey(this.secrets)
      await transaction(this.pool, async (sql) => {
        await lockTokenKeys(sql)
        const keys = await readTokenKeys(sql) // not before the lock: another node may have been first
        if (!keys.some(({ signs }) => signs)) await insertTokenKey(sql, key, 0)
      })
    } finally {
      this.ring = undefined
      this.loading = undefined
      this.making = undefined
    }
  }

  private async youngerThan(ms: number): Promise<Ring> {
    if (this.ring !== undefined && performance.now() - this.ring.at < ms) return this.ring
    const loading = (this.loading ??= this.load())
    try {
      const ring = await loading
      if (this.loading === loading) this.ring = ring
      return ring
    } finally {
      if (this.loading === loading) this.loading = undefined
    }
  }

  private async load(): Promise<Ring> {
    const at = performance.now()
    const keys = await readTokenKeys(this.pool)
    const signing = keys.find(({ signs }) => signs)
    return {
      at,
      jwks: { keys: keys.map(({ publicJwk }) => publicJwk) },
      publicKeys: new Map(keys.map(({ kid, publicJwk }) => [kid, createPublicKey({ key: { ...publicJwk }, format: 'jwk' })])),
      signer: signing && { kid: signing.kid, privateKey: this.unseal(signing) },
    }
  }

  private unseal({ kid, sealedPrivate }: StoredTokenKey): KeyObject {
    try {
      return createPrivateKey({ key: Buffer.from(this.secrets.open(TOKEN_KEY_PURPOSE, sealedPrivate)), format: 'der', type: 'pkcs8' })
    } catch (cause) {
      throw new Error(`SERVER_SECRET does not open the token signing key ${kid}: was it changed?`, { cause })
    }
  }
}
