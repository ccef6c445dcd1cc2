import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { deleteInBatches, purgeJob } from '../../platform/jobs/purge.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { SignedClient, type PeerAnswer, type PeerCall } from '../outbound/signed-client.js'
import { forgetIntroductions, noteIntroductions } from './disclosure.repository.js'

/** Introductions last for a day: those of this node are written again after a quarter of it. */
const AGAIN_MS = 6 * 3_600_000
const MAX_REMEMBERED = 50_000
const ROWS = 1_000

/** Which providers were sent something of which users here: those may look the users up (`Disclosure`). */
@Injectable()
export class Introductions {
  private readonly noted = new LRUCache<string, true>({ max: MAX_REMEMBERED, ttl: AGAIN_MS })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
  ) {}

  /** Call it before a request of a user here goes out, or KeyPackages of it do. @param domains who gets it; of none of our users if it is not one */
  async note(user: string, ...domains: readonly (string | undefined)[]): Promise<void> {
    if (parseUserUri(user)?.domain !== this.config.DOMAIN) return
    const others = [...new Set(domains)].filter((domain) => domain !== undefined && domain !== this.config.DOMAIN) as string[]
    const open = others.filter((domain) => !this.noted.has(`${user} ${domain}`))
    if (open.length === 0) return
    await noteIntroductions(
      this.pool,
      open.map(() => user),
      open,
    )
    for (const domain of open) this.noted.set(`${user} ${domain}`, true)
  }
}

export const forgetPastIntroductions = purgeJob({
  name: 'federation.introductions_v1',
  everyMs: 3_600_000,
  deletions: [(sql) => deleteInBatches(ROWS, () => forgetIntroductions(sql, ROWS))],
  needed: ({ FEDERATION }) => FEDERATION !== 'off',
})

/** Requests of users here, whom the providers that get them may look up. */
@Injectable()
export class IntroducingClient {
  constructor(
    private readonly introductions: Introductions,
    private readonly client: SignedClient,
  ) {}

  /** @param user who is named in the request, if anybody is */
  async sendFor(user: string | undefined, call: PeerCall): Promise<PeerAnswer> {
    if (user !== undefined) await this.introductions.note(user, call.peer)
    return this.client.send(call)
  }

  /** For a request that these providers get over others: see `Introductions.note`. */
  introduce(user: string, ...domains: readonly (string | undefined)[]): Promise<void> {
    return this.introductions.note(user, ...domains)
  }
}
