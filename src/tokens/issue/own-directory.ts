import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { IssuerKeys, type IssuerKey } from '../keys/issuer-keys.js'
import type { IssuerDirectory } from './issuer-directory.dto.js'

/** The path alone: a client joins it with the address at which it found the directory (RFC 9578 §4). */
const REQUEST_URI = '/v1/tokens'

/** What this issuer says of itself: the same to everyone, so that clients can compare it. */
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
