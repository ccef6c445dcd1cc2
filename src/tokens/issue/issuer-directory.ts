import { Inject, Injectable } from '@nestjs/common'
import { z } from 'zod'
import { ProviderDomain } from '../../authentication/identifiers.dto.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { IssuerKeys, type IssuerKey } from '../keys/issuer-keys.js'

const TokenKey = z.object({
  'token-type': z.int().meta({ description: '2: Blind RSA (2048 bit)' }),
  'token-key': z.string().max(1_024).meta({ description: 'SubjectPublicKeyInfo, base64url with padding' }),
  'redeem-until': z.int().nonnegative().max(253_402_300_799).meta({ description: 'Unix seconds until which its tokens can be spent' }),
  'not-before': z.int().optional().meta({ description: 'Unix seconds from which on the key is to be used' }),
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

/** The hub that issues the tokens, and takes them back. */
export const AtIssuer = z.object({
  issuer: ProviderDomain.optional().meta({ description: 'Domain of a hub; this provider by default' }),
})
export type AtIssuer = z.infer<typeof AtIssuer>

/** The path alone: a client joins it with the address at which it found the directory (RFC 9578 §4). */
const REQUEST_URI = '/v1/tokens'

/** This issuer's own directory: the same for every client, so that clients can compare it. */
@Injectable()
export class OwnDirectory {
  private made: { keys: readonly IssuerKey[]; directory: IssuerDirectory } | undefined

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'TOKENS_PER_BATCH'>,
    private readonly keys: IssuerKeys,
  ) {}

  /** The same object until the keys are read again. */
  async read(): Promise<IssuerDirectory> {
    const keys = await this.keys.all()
    if (this.made?.keys !== keys) this.made = { keys, directory: this.directoryOf(keys) }
    return this.made.directory
  }

  private directoryOf(keys: readonly IssuerKey[]): IssuerDirectory {
    return {
      'issuer-request-uri': REQUEST_URI,
      'token-keys': keys.filter(isShown).map(({ tokenKey, issuesFrom, redeemsUntil }) => ({
        'token-type': 2,
        'token-key': paddedBase64url(tokenKey),
        'not-before': seconds(issuesFrom),
        'redeem-until': seconds(redeemsUntil),
      })),
      'batch-size': this.config.TOKENS_PER_BATCH,
    }
  }
}

function isShown({ shown }: IssuerKey): boolean {
  return shown
}

function paddedBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
