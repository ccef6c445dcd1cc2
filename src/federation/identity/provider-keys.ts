import { createPrivateKey, sign, type KeyObject } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL, type Sql } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import type { SigningKey } from '../../protocol/http-signature/profile.js'
import { makeFirstProviderKey, PROVIDER_KEY_PURPOSE } from './provider-key-rotation.js'
import { readProviderKeys, type StoredProviderKey } from './provider-keys.repository.js'

/** Far shorter than the lead that a new key is published with before it signs; a withdrawn one signs for so long at most. */
const MAX_AGE_MS = 5_000
/** A node that signs with a new key may be ahead of the one that is asked for the directory. */
const MAX_AGE_SHOWN_MS = 1_000

export interface ProviderKey {
  readonly keyId: string
  readonly publicKey: Uint8Array
  readonly privateKey: KeyObject
  readonly notBefore: Date
  readonly notAfter: Date | undefined
  readonly signs: boolean
  /** In the directory; otherwise it only signs that. */
  readonly listed: boolean
}

/** The keys that this provider signs with; all nodes share them by the database. */
@Injectable()
export class ProviderKeys {
  private loaded: { at: number; keys: Promise<readonly ProviderKey[]> } | undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly secrets: Secrets,
  ) {}

  /** The key to sign with now. The first node that needs one makes it. */
  async signer(): Promise<SigningKey> {
    const key = (await this.atMost(MAX_AGE_MS)).find(({ signs }) => signs)
    if (!key) throw new Error('No provider key signs now')
    return { domain: this.config.DOMAIN, keyId: key.keyId, privateKey: key.privateKey }
  }

  /** Bytes that a peer keeps, such as a log's head. */
  async signBytes(bytes: Uint8Array): Promise<{ keyId: string; signature: Uint8Array }> {
    const { keyId, privateKey } = await this.signer()
    return { keyId, signature: new Uint8Array(sign(null, bytes, privateKey)) }
  }

  /** All that peers may meet: those that sign, will sign, or have signed what is not forgotten yet. */
  async published(): Promise<readonly ProviderKey[]> {
    return (await this.vouching()).filter(({ listed }) => listed)
  }

  /** Those that sign the directory: also some that are not in it any more. */
  vouching(): Promise<readonly ProviderKey[]> {
    return this.atMost(MAX_AGE_SHOWN_MS)
  }

  /** The same, as it stands in the database now. */
  async vouchingIn(sql: Sql): Promise<readonly ProviderKey[]> {
    return (await readProviderKeys(sql)).map((stored) => this.opened(stored))
  }

  private atMost(ageMs: number): Promise<readonly ProviderKey[]> {
    const now = performance.now()
    if (!this.loaded || now - this.loaded.at > ageMs) this.loaded = { at: now, keys: this.load() }
    const { keys } = this.loaded
    keys.catch(() => (this.loaded = undefined))
    return keys
  }

  private async load(): Promise<readonly ProviderKey[]> {
    let stored = await readProviderKeys(this.pool)
    if (stored.length === 0) {
      await makeFirstProviderKey(this.pool, this.secrets)
      stored = await readProviderKeys(this.pool)
    }
    return stored.map((one) => this.opened(one))
  }

  private opened({ keyId, publicKey, sealedPrivate, signs, listed, signsFrom, publishedUntil }: StoredProviderKey): ProviderKey {
    const der = Buffer.from(this.secrets.open(PROVIDER_KEY_PURPOSE, sealedPrivate))
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    return { keyId, publicKey, privateKey, notBefore: signsFrom, notAfter: publishedUntil ?? undefined, signs, listed }
  }
}
