import { Inject, Injectable } from '@nestjs/common'
import { z } from 'zod'
import { ProviderDomain } from '../../authentication/identifiers.dto.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { IssuerKeys, type IssuerKey } from '../keys/issuer-keys.js'

const TokenKey = z.object({
  'token-type': z.int().meta({ description: '2: Blind RSA (2048 bit)' }),
  'token-key': z.string().max(1_024).meta({ description: 'SubjectPublicKeyInfo, base64url with padding' }),
  'redeem-until': z
    .int()
    .nonnegative()
    .max(253_402_300_799)
    .meta({ description: 'Unix time (seconds) until which its tokens can be redeemed' }),
  'not-before': z.int().optional().meta({ description: 'Unix time (seconds) from which the key is valid for issuing' }),
})

/** RFC 9578 §4. `batch-size` and `redeem-until` are additions of this server. */
export const IssuerDirectory = z
  .object({
    'issuer-request-uri': z.string().max(1_024),
    'token-keys': z.array(TokenKey).min(1).max(8),
    'batch-size': z.int().positive().max(1_000).meta({ description: 'Tokens in one batch' }),
  })
  .meta({ id: 'IssuerDirectory' })
export type IssuerDirectory = z.infer<typeof IssuerDirectory>

/** Which hub issues and redeems the tokens. */
export const IssuerQuery = z.object({
  issuer: ProviderDomain.optional().meta({ description: 'Domain of a hub; this provider by default' }),
})
export type IssuerQuery = z.infer<typeof IssuerQuery>

/** Relative: clients resolve it against the URL of the directory (RFC 9578 §4). */
export const REQUEST_URI = '/v1/tokens'

/** This issuer's own directory: the same for every client, so that clients can compare it. */
@Injectable()
export class OwnIssuerDirectory {
  private cached: { keys: readonly IssuerKey[]; directory: IssuerDirectory } | undefined

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'TOKENS_PER_BATCH'>,
    private readonly keys: IssuerKeys,
  ) {}

  /** Returns the same object until the keys are reloaded. */
  async read(): Promise<IssuerDirectory> {
    const keys = await this.keys.all()
    if (this.cached?.keys !== keys) this.cached = { keys, directory: this.directoryOf(keys) }
    return this.cached.directory
  }

  private directoryOf(keys: readonly IssuerKey[]): IssuerDirectory {
    return {
      'issuer-request-uri': REQUEST_URI,
      'token-keys': keys
        .filter(({ published }) => published)
        .map(({ tokenKey, issuesFrom, redeemsUntil }) => ({
          'token-type': 2,
          'token-key': paddedBase64url(tokenKey),
          'not-before': toUnixSeconds(issuesFrom),
          'redeem-until': toUnixSeconds(redeemsUntil),
        })),
      'batch-size': this.config.TOKENS_PER_BATCH,
    }
  }
}

function paddedBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}

function toUnixSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
