import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { IssuerKeys } from '../keys/issuer-keys.js'
import type { IssuerDirectory } from './issuer-directory.dto.js'

/** The path alone: a client joins it with the address at which it found the directory (RFC 9578 §4). */
const REQUEST_URI = '/v1/tokens'

/** What this issuer says of itself: the same to everyone, so that clients can compare it. */
@Injectable()
export class OwnDirectory {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'TOKENS_PER_BATCH'>,
    private readonly keys: IssuerKeys,
  ) {}

  async read(): Promise<IssuerDirectory> {
    const keys = await this.keys.shown()
    return {
      'issuer-request-uri': REQUEST_URI,
      'token-keys': keys.map(({ tokenKey, issuesFrom, redeemsUntil }) => ({
        'token-type': 2,
        'token-key': paddedBase64url(tokenKey),
        'not-before': seconds(issuesFrom),
        'redeem-until': seconds(redeemsUntil),
      })),
      'batch-size': this.config.TOKENS_PER_BATCH,
    }
  }
}

function paddedBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
