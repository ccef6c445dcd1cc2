import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { checkContentDigest } from '../../protocol/http-signature/content-digest.js'
import type { HttpRequestMessage } from '../../protocol/http-signature/message.js'
import { isFresh, type ClaimedSignature } from '../../protocol/http-signature/profile.js'
import { requestSignature } from '../../protocol/http-signature/signed-request.js'
import { PeerDirectories } from '../peers/peer-directories.js'
import { SignatureRefused } from './inbound.problems.js'
import { Nonces } from './nonces.js'

/** Whether a request was signed by whom it says, for this server, now, over this body, and comes once. */
@Injectable()
export class RequestSignatures {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'FEDERATION_CLOCK_SKEW'>,
    private readonly directories: PeerDirectories,
    private readonly nonces: Nonces,
  ) {}

  /** What can be checked without asking another provider. */
  claim(message: HttpRequestMessage, hasBody: boolean): ClaimedSignature {
    const claimed = requestSignature(message, hasBody)
    if (claimed.kind === 'faulty') throw new SignatureRefused(claimed.fault, claimed.detail)
    if (message.headers['mimi-target'] !== this.config.DOMAIN)
      throw new SignatureRefused('target-mismatch', 'The request is for another provider.')
    if (!isFresh(claimed, Date.now() / 1000, this.config.FEDERATION_CLOCK_SKEW / 1000))
      throw new SignatureRefused('signature-stale', 'The signature is not of now.')
    return claimed
  }

  async checkDigest(message: HttpRequestMessage, body: Uint8Array): Promise<void> {
    const verdict = await checkContentDigest(message.headers, body)
    if (verdict === 'missing') throw new SignatureRefused('content-digest-missing', 'Content-Digest has no known algorithm.')
    if (verdict === 'mismatch') throw new SignatureRefused('content-digest-mismatch', 'Content-Digest is not that of the body.')
  }

  /** That the provider has signed it. */
  async verify(claimed: ClaimedSignature): Promise<void> {
    const { domain, keyId } = claimed
    const key = await this.directories.key(domain, keyId, new Date(), 'inbound')
    if (!key) throw new SignatureRefused('key-unknown', "The provider's directory has no such key.")
    const verdict = claimed.verify(key)
    if (verdict === 'invalid') throw new SignatureRefused('signature-invalid', 'The signature does not verify.')
    if (verdict !== 'valid') throw new SignatureRefused('signature-malformed', verdict.why)
  }

  /** That it comes once; this is written down. */
  async spend({ domain, nonce, expires }: ClaimedSignature): Promise<void> {
    if (!(await this.nonces.take(domain, nonce, expires))) throw new SignatureRefused('nonce-replayed', 'The nonce was used before.')
  }
}
