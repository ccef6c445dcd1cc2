import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { POOL } from '../../platform/postgres/sql.js'
import { decodeSharedGroup } from '../../protocol/mimi/microchat/shared-group.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { QUERIES_BY_USER } from '../identifier-query/identifier-queries.js'
import { providerOf, type Peer } from '../inbound/peer.js'
import { Introductions } from './introductions.js'
import { isRelated } from './disclosure.repository.js'

/** The same for users who do not exist, who do not want to be found, and who have nothing to do with the provider that asks. */
class UserNotShown extends NotFound {
  constructor() {
    super('This server shows no such user to the provider that asks.')
  }
}

/** Which providers learn anything of a user here, but by the user's own leave: nobody can find out by asking who has an account. */
@Injectable()
export class Disclosure {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'IDENTIFIER_QUERIES_PER_MINUTE'>,
    private readonly limits: Limits,
    private readonly introductions: Introductions,
  ) {}

  /** See `Introductions.note`. */
  introduce(user: string, ...domains: readonly (string | undefined)[]): Promise<void> {
    return this.introductions.note(user, ...domains)
  }

  /**
   * @param shown empty, or the `SharedGroup` that the peer asks for
   * @throws NotFound for a provider that is not related to the user; RateLimited for one that has asked in vain too often
   */
  async requireRelated(peer: Peer, user: string, shown: Uint8Array): Promise<void> {
    const shared = shown.length === 0 ? undefined : decodedOrRefused(decodeSharedGroup(shown))
    if (await isRelated(this.pool, user, peer.domain, shared)) return
    await this.countQuery(peer.domain)
    throw new UserNotShown()
  }

  /**
   * Counts a claim that got nothing as a search of the requester's and of its provider's.
   * @returns whether the requester is of another provider; those of this one count for nothing @throws RateLimited
   */
  async countRefusal(requester: string): Promise<boolean> {
    const domain = providerOf(requester)
    if (domain === undefined || domain === this.config.DOMAIN) return false
    await this.limits.take(QUERIES_BY_USER, requester)
    await this.countQuery(domain)
    return true
  }

  /** What a peer asks of users without knowing them counts as one of its searches. */
  private async countQuery(domain: string): Promise<void> {
    await this.limits.take({ name: 'identifier-queries-of', points: this.config.IDENTIFIER_QUERIES_PER_MINUTE, seconds: 60 }, domain)
  }
}
