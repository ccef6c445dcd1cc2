import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound, RateLimited } from '../../platform/http/problem.js'
import { Buckets } from '../../platform/limits/buckets.js'
import type { DescribedLimit } from '../../platform/limits/described-limit.js'
import { Limits, type Limit } from '../../platform/limits/limits.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { haveCommonProfile } from '../identity/endpoints.js'
import { PeerPolicy } from '../peers/peer-policy.js'
import { PeerDirectories } from '../peers/peer-directories.js'
import { PeerDenied, ProfileUnsupported } from './inbound.problems.js'

export const INBOUND_LIMITS: readonly DescribedLimit[] = [
  {
    name: 'unverified-peer-requests',
    holder: 'address',
    what: 'requests of peers per minute, but for those whose signature was found to be right',
    setting: 'FEDERATION_UNVERIFIED_PER_MINUTE',
    refusal: '429 with Retry-After',
  },
]

/** Who is let in, and how often. */
@Injectable()
export class InboundGate {
  /** Of this process: a claim costs a look-up and a signature check here, wherever else it is made. */
  private readonly unverified: Buckets

  constructor(
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'FEDERATION' | 'FEDERATION_REQUESTS_PER_MINUTE' | 'FEDERATION_UNVERIFIED_PER_MINUTE'>,
    private readonly policy: PeerPolicy,
    private readonly limits: Limits,
    private readonly directories: PeerDirectories,
    private readonly metrics: Metrics,
  ) {
    const burst = config.FEDERATION_UNVERIFIED_PER_MINUTE
    this.unverified = new Buckets({ perSecond: burst / 60, burst })
  }

  /** @throws NotFound where the settings want no other providers */
  requireFederation(): void {
    if (this.config.FEDERATION === 'off') throw new NotFound('This server does not federate.')
  }

  /** @throws PeerDenied for a provider that the settings or the operator do not admit */
  async requireAdmitted(domain: string): Promise<void> {
    if (!(await this.policy.admits(domain))) throw new PeerDenied()
  }

  /**
   * Takes a point before any work for a claim that is not verified yet; `returnVerified` gives it back.
   * @param address as `addressGroup` has it
   * @throws RateLimited
   */
  takeUnverified(address: string): void {
    const wait = this.unverified.take(address)
    if (wait === 0) return
    this.metrics.limitsRefused.inc({ limit: 'unverified-peer-requests' })
    throw new RateLimited(wait / 1000)
  }

  /** The signature was right, and is new: the request counts for its provider from here on, not for the address. */
  returnVerified(address: string): void {
    this.unverified.of(address).spend(-1)
  }

  /** Counts for a provider only what it has signed: nobody can use up the rate of another. @throws RateLimited */
  async countRequest(domain: string): Promise<void> {
    await this.limits.take(this.requests(), domain)
  }

  /** Of two requests with one nonce at the same time the second was not the provider's: it counts for the address after all. */
  async countReplay(address: string, domain: string): Promise<void> {
    this.unverified.of(address).spend(1)
    await this.limits.giveBack(this.requests(), domain)
  }

  private requests(): Limit {
    return { name: 'peer-requests', points: this.config.FEDERATION_REQUESTS_PER_MINUTE, seconds: 60 }
  }

  /** After the signature was verified, so that the refusal reaches the provider itself. @throws ProfileUnsupported */
  async requireCommonProfile(domain: string): Promise<void> {
    if (!haveCommonProfile((await this.directories.of(domain))?.profiles ?? [])) throw new ProfileUnsupported()
  }
}
