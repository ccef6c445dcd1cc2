import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../platform/config/config.js'
import { POOL } from '../platform/postgres/sql.js'
import { challengeDigest, challengeField, isAuthentic, presentedToken, type PresentedToken } from '../protocol/privacy-pass/token.js'
import { IssuerKeys } from './keys/issuer-keys.js'
import { TokenRequired, TokenSpent } from './tokens.problems.js'

/** A token of this issuer that is valid, as far as that shows before it is spent. */
export interface GoodToken {
  /** Row id of its key. */
  readonly issuerKey: number
  readonly nonce: Uint8Array
}

/** Checks tokens. Where a message is stored for one, the transaction that stores it spends the token. */
@Injectable()
export class Redemption {
  private readonly digest: Buffer

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly keys: IssuerKeys,
  ) {
    this.digest = Buffer.from(challengeDigest(config.DOMAIN))
  }

  /** The cheap checks: a token at all, for this origin, of a key that is in force. @throws TokenRequired */
  async presented(authorization: string | undefined): Promise<PresentedToken> {
    const token = presentedToken(authorization)
    if (!token) throw await this.required()
    if (!this.digest.equals(token.challengeDigest)) throw await this.required('The token is for another origin or issuer.')
    if (!(await this.keyOf(token))) throw await this.required('The token is of a key that is not in force.')
    return token
  }

  /** The signature. @throws TokenRequired */
  async verified(token: PresentedToken): Promise<GoodToken> {
    const key = await this.keyOf(token)
    if (!key || !(await isAuthentic(token, key.publicKey))) throw await this.required('The token is not signed by its issuer.')
    return { issuerKey: key.id, nonce: token.nonce }
  }

  /** Spends a token by itself, where nothing is stored for it. @throws TokenSpent */
  async spend({ issuerKey, nonce }: GoodToken): Promise<void> {
    const { rowCount } = await this.pool.query({
      name: 'sealed_spend',
      text: 'INSERT INTO spent_token (issuer_key, nonce) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      values: [issuerKey, nonce],
    })
    if (rowCount === 0) throw await this.spent()
  }

  async spent(): Promise<TokenSpent> {
    return new TokenSpent(await this.challenge())
  }

  private async required(detail?: string): Promise<TokenRequired> {
    return new TokenRequired(await this.challenge(), detail)
  }

  private async keyOf({ keyId }: PresentedToken) {
    return (await this.keys.all()).find((key) => Buffer.compare(key.keyId, keyId) === 0)
  }

  private async challenge(): Promise<string> {
    return challengeField(
      this.config.DOMAIN,
      (await this.keys.published()).filter(({ issues }) => issues).map(({ tokenKey }) => tokenKey),
    )
  }
}
