import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { ISSUER_KEY_PURPOSE, IssuerKeyRotation } from './issuer-key-rotation.js'
import { readIssuerKeys, type StoredIssuerKey } from './issuer-keys.repository.js'

/** Far shorter than the time for which a key is published before it signs. */
const MAX_AGE_MS = 5_000

export interface IssuerKey {
  /** Row id. */
  readonly id: number
  readonly keyId: Uint8Array
  readonly truncatedId: number
  readonly tokenKey: Uint8Array
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  readonly issuesFrom: Date
  readonly issuesUntil: Date
  readonly redeemsUntil: Date
  readonly issues: boolean
  readonly published: boolean
}

/** The issuer's keys; rows that all nodes share. */
@Injectable()
export class IssuerKeys {
  private loaded: { at: number; keys: Promise<readonly IssuerKey[]> } | undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly secrets: Secrets,
    private readonly rotation: IssuerKeyRotation,
  ) {}

  /** All by which tokens can be spent now, in the order in which they sign. The first node that needs one makes it. */
  all(): Promise<readonly IssuerKey[]> {
    const now = performance.now()
    if (!this.loaded || now - this.loaded.at > MAX_AGE_MS) this.loaded = { at: now, keys: this.load() }
    const { keys } = this.loaded
    keys.catch(() => (this.loaded = undefined))
    return keys
  }

  /** The keys that the directory and challenges name: first the one to use now, then the one after it. */
  async published(): Promise<readonly IssuerKey[]> {
    return (await this.all()).filter(({ published }) => published)
  }

  private async load(): Promise<readonly IssuerKey[]> {
    let stored = await readIssuerKeys(this.pool)
    if (!stored.some(({ issues, published }) => issues && published)) {
      await this.rotation.ensure()
      stored = await readIssuerKeys(this.pool)
    }
    return stored.map((key) => this.opened(key))
  }

  private opened({ sealedPrivate, keyId, tokenKey, ...key }: StoredIssuerKey): IssuerKey {
    const pkcs8 = Buffer.from(this.secrets.open(ISSUER_KEY_PURPOSE, sealedPrivate))
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    return { ...key, keyId: new Uint8Array(keyId), tokenKey: new Uint8Array(tokenKey), privateKey, publicKey: createPublicKey(privateKey) }
  }
}
