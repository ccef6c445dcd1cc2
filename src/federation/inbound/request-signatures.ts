import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { checkContentDigest } from '../../protocol/http-signature/content-digest.js'
import type { HttpRequestMessage } from '../../protocol/http-signature/message.js'
import { isFresh, type ClaimedSignature } from '../../protocol/http-signature/profile.js'
import { requestSignature } from '../../protocol/http-signature/signed-request.js'
import { FirstLooks } from '../peers/first-looks.js'
import { PeerDirectories } from '../peers/peer-directories.js'
import { NonceReplayed, SignatureRefused } from './inbound.problems.js'
import { Nonces } from './nonces.js'

/** Nonces that this node remembers by itself; the database has all. */
const MAX_SEEN = 20_000

/** Whether a request was signed by whom it says, for this server, now, over this body, and comes once. */
@Injectable()
export class RequestSignatures {
  private readonly seen = new LRUCache<string, true>({ max: MAX_SEEN })

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'FEDERATION_CLOCK_SKEW'>,
    private readonly directories: PeerDirectories,
    private readonly nonces: Nonces,
    private readonly looks: FirstLooks,
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

  /** Also of a body that is not there, if a digest is: somebody may have taken it out. */
  async checkDigest(message: HttpRequestMessage, body: Uint8Array | undefined): Promise<void> {
    if (!body && message.headers['content-digest'] === undefined) return
    const verdict = await checkContentDigest(message.headers, body ?? new Uint8Array())
    if (verdict === 'missing') throw new SignatureRefused('content-digest-missing', 'Content-Digest has no known algorithm.')
    if (verdict === 'mismatch') throw new SignatureRefused('content-digest-mismatch', 'Content-Digest is not that of the body.')
  }

  /**
   * That the provider has signed it.
   * @param address pays for a look at a provider that was never met: nothing is known of that one yet
   */
  async verify(claimed: ClaimedSignature, address: string): Promise<void> {
    const { domain, keyId } = claimed
    const key = await this.looks.chargeTo({ kind: 'address', name: address }, () => this.directories.key(domain, keyId, new Date()))
    if (!key) throw new SignatureRefused('key-unknown', "The provider's directory has no such key.")
    const verdict = claimed.verify(key)
    if (verdict === 'invalid') throw new SignatureRefused('signature-invalid', 'The signature does not verify.')
    if (verdict !== 'valid') throw new SignatureRefused('signature-malformed', verdict.why)
  }

  /**
   * That it did not come to this node before; of others, and of the time before a restart, `spend` knows.
   * @throws NonceReplayed also for all but the first of many that come at the same time
   */
  requireUnseen({ domain, nonce }: ClaimedSignature): void {
    const name = `${domain} ${nonce}`
    if (this.seen.has(name)) throw new NonceReplayed()
    this.seen.set(name, true)
  }

  /** That it comes once; this is written down. @throws NonceReplayed also for one of two that came at the same time */
  async spend({ domain, nonce, expires }: ClaimedSignature): Promise<void> {
    if (!(await this.nonces.take(domain, nonce, expires))) throw new NonceReplayed()
  }
}
