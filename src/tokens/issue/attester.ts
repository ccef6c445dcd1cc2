import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound, Undecodable } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { POOL } from '../../platform/postgres/sql.js'
import { decodeBatchRequest } from '../../protocol/privacy-pass/issuance.js'
import { readTokenKey, tokenKeyOf } from '../../protocol/privacy-pass/issuer-key.js'
import { BatchSize, QuotaExceeded, TokenKeyUnknown } from '../tokens.problems.js'
import type { IssuerDirectory } from './issuer-directory.js'
import { countTokens } from './quotas.repository.js'
import { sha256 } from '../../protocol/sha256.js'

/** What is counted for a key is forgotten after so long, even if its issuer says that the key is good for longer. */
const LONGEST_MS = 200 * 86_400_000

/** Requests of one user: what the issuer allows is for all users of this provider. */
const REQUESTS = { name: 'tokens-elsewhere', points: 20, seconds: 60 }
/** Only the issuer knows when its next key signs: a client asks again a day later. */
const NEXT_KEY_MS = 86_400_000

interface NamedKey {
  readonly keyId: Uint8Array
  readonly redeemUntil: Date
}

/** Issuers of other providers, as this layer needs them. The layer that knows how to talk to those connects itself. */
export interface OtherIssuers {
  directory(issuer: string): Promise<IssuerDirectory>
  /** Passes a batch on; the answer is the issuer's. It does not say for whom. */
  issue(issuer: string, batch: Uint8Array): Promise<Uint8Array>
}

/** Unconnected, this server knows no other issuer. */
@Injectable()
export class IssuerLink {
  private connected: OtherIssuers | undefined

  get others(): OtherIssuers | undefined {
    return this.connected
  }

  connect(others: OtherIssuers): void {
    this.connected = others
  }
}

/**
 * Vouches with other issuers for the users of this provider (RFC 9576 §3.2): counts what each of them gets, and passes on the blinded
 * request without its user. The issuer counts what this provider gets.
 */
@Injectable()
export class Attester {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'TOKENS_PER_ACCOUNT'>,
    private readonly limits: Limits,
    private readonly link: IssuerLink,
  ) {}

  async directory({ user }: Caller, issuer: string): Promise<IssuerDirectory> {
    await this.limits.take(REQUESTS, user)
    return this.others().directory(issuer)
  }

  async issue({ user }: Caller, issuer: string, batch: Uint8Array): Promise<Uint8Array> {
    await this.limits.take(REQUESTS, user)
    const others = this.others()
    const directory = await others.directory(issuer)
    const { 'batch-size': size } = directory
    const decoded = decodeBatchRequest(batch, size)
    if (decoded.kind === 'malformed') throw new Undecodable(`The request for tokens is malformed: ${decoded.reason}.`)
    if (decoded.value.length !== size) throw new BatchSize(size)
    const key = keyNamed(directory, decoded.value[0]?.truncatedKeyId)
    const requestHash = sha256(batch)
    const counted = { issuer, keyId: key.keyId, holder: user, requestHash, tokens: size }
    const { outcome } = await countTokens(this.pool, counted, this.config.TOKENS_PER_ACCOUNT, key.redeemUntil)
    if (outcome === 'exceeded') throw new QuotaExceeded(new Date(Date.now() + NEXT_KEY_MS))
    return others.issue(issuer, batch)
  }

  private others(): OtherIssuers {
    if (!this.link.others) throw new NotFound('Tokens of other issuers are not available here.')
    return this.link.others
  }
}

function keyNamed(directory: IssuerDirectory, truncatedId: number | undefined): NamedKey {
  for (const { 'token-key': text, 'redeem-until': redeemUntil } of directory['token-keys']) {
    const key = readTokenKey(Buffer.from(text, 'base64url'))
    if (!key) continue
    const { keyId, truncatedId: id } = tokenKeyOf(key)
    if (id === truncatedId) return { keyId, redeemUntil: new Date(Math.min(redeemUntil * 1000, Date.now() + LONGEST_MS)) }
  }
  throw new TokenKeyUnknown()
}
