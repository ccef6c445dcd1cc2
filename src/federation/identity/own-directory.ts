import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { Authorities } from '../../authentication/x509/authorities.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import { hex } from '../../protocol/bytes.js'
import { sha256 } from '../../protocol/sha256.js'
import type { DirectoryContent, SignedKeyDirectory } from './directory-document.js'
import { signKeyDirectory } from './directory-signatures.js'
import { endpointTemplates, FEATURES, PROFILES, type Endpoint } from './endpoints.js'
import { readOwnDirectory, storeOwnDirectory } from './own-directory.repository.js'
import { OwnUrl } from './own-url.js'
import { lockProviderKeys } from './provider-keys.repository.js'
import { ProviderKeys, type ProviderKey } from './provider-keys.js'

/** A node looks again for the document that others may have signed. */
const MEMORY_MS = 60_000
/** Signed again after this time without a change: short against the week for which it is valid. */
const SIGNED_AGAIN_SECONDS = 3_600
/** A time of issue further ahead was written under a wrong clock, and no peer has taken it. */
const AHEAD_SECONDS = 300

type Document = Readonly<Record<Endpoint, string>> & { readonly profiles: readonly string[]; readonly key_directory: SignedKeyDirectory }

interface Shown {
  readonly hash: Buffer
  readonly until: number
  readonly document: Promise<Document>
}

/** The directory of this provider. All nodes show the same document; each has a later time of issue than the one before it. */
@Injectable()
export class OwnDirectory {
  private shown: Shown | undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly url: OwnUrl,
    private readonly keys: ProviderKeys,
    private readonly authorities: Authorities,
  ) {}

  /** The same object as long as nothing has changed. */
  async current(): Promise<Document> {
    const [keys, content] = [await this.keys.vouching(), await this.content()]
    const hash = hashOf(keys, content)
    if (this.shown?.hash.equals(hash) && performance.now() < this.shown.until) return this.shown.document
    const shown = { hash, until: performance.now() + MEMORY_MS, document: this.issue(content) }
    this.shown = shown
    shown.document.catch(() => this.shown === shown && (this.shown = undefined))
    return shown.document
  }

  private async content(): Promise<DirectoryContent> {
    const endpoints = endpointTemplates(this.url.get())
    return {
      domain: this.config.DOMAIN,
      profiles: PROFILES,
      features: FEATURES,
      endpoints,
      authorities: await this.authorities.published(),
    }
  }

  private async issue(content: DirectoryContent): Promise<Document> {
    const key_directory = await transaction(this.pool, (sql) => this.signOnce(sql, content))
    return { ...content.endpoints, profiles: content.profiles, key_directory }
  }

  /** With the keys as they are under the lock: a document that lacked one for a moment would withdraw it for good. */
  private async signOnce(sql: Sql, content: DirectoryContent): Promise<SignedKeyDirectory> {
    await lockProviderKeys(sql)
    const keys = await this.keys.vouchingIn(sql)
    const hash = hashOf(keys, content)
    const { now, stored } = await readOwnDirectory(sql)
    if (stored?.hash.equals(hash) && stored.issued > now - SIGNED_AGAIN_SECONDS && stored.issued <= now + AHEAD_SECONDS)
      return stored.signed
    const after = stored && stored.issued <= now + AHEAD_SECONDS ? stored.issued + 1 : 0
    const issued = Math.max(now, after)
    const signed = signKeyDirectory(keys, content, issued)
    await storeOwnDirectory(sql, { hash, issued, signed })
    return signed
  }
}

/** Of all that a directory says but its times, and of who signs it. */
function hashOf(keys: readonly ProviderKey[], { domain, profiles, features, endpoints, authorities }: DirectoryContent): Buffer {
  const said = keys.map(({ keyId, listed, notBefore, notAfter }) => [keyId, listed, notBefore, notAfter])
  return sha256(Buffer.from(JSON.stringify([said, domain, profiles, features, endpoints, authorities.map(hex)])))
}
