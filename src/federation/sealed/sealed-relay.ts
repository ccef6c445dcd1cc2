import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { followedHubs } from '../../groups/home/homes.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound, TooLarge } from '../../platform/http/problem.js'
import { representationOf, type Representation } from '../../platform/http/public-document.js'
import { POOL, type Sql } from '../../platform/postgres/sql.js'
import { Redemption } from '../../tokens/redemption.js'
import { hubProblem } from '../peer-problems.js'
import { SharedValue } from '../../platform/shared-value.js'
import type { Endpoint } from '../identity/endpoints.js'
import { SignedClient } from '../outbound/signed-client.js'
import { SharedCopies } from './shared-copies.js'

/** Gateways change their key once a week, and accept the previous one for a week more. */
const KEYS_MAX_AGE_MS = 3_600_000
/** Bytes in addition to the message: proofs, path, padding and the envelope itself. */
const AROUND_BYTES = 8_192

/** Passes envelopes on to hubs. It sees the address of a client and the hub, but neither the content nor the group. */
@Injectable()
export class SealedRelay {
  private readonly copies = new SharedCopies(KEYS_MAX_AGE_MS, async (hub) =>
    representationOf(await this.ask(hub, 'sealedKeys', new Uint8Array()), 'application/ohttp-keys'),
  )
  private readonly hubs: FollowedHubs

  constructor(
    @Inject(POOL) pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'MAX_MESSAGE_BYTES'>,
    private readonly redemption: Redemption,
    private readonly client: SignedClient,
  ) {
    this.hubs = new FollowedHubs(pool)
  }

  /** One copy for all. */
  async keys(hub: string): Promise<Representation> {
    await this.requireFollowed(hub)
    return this.copies.of(hub)
  }

  /** The token is spent whatever the hub answers: what is limited is the relaying. */
  async pass(hub: string, authorization: string | undefined, envelope: Uint8Array): Promise<Uint8Array> {
    const token = await this.redemption.presented(authorization)
    await this.requireFollowed(hub)
    const limit = this.config.MAX_MESSAGE_BYTES + AROUND_BYTES
    if (envelope.length > limit) throw new TooLarge('The envelope is larger than any message.', limit)
    await this.redemption.spend(await this.redemption.verified(token))
    return this.ask(hub, 'submitSealed', envelope)
  }

  /** These routes are anonymous, so the relay asks only hubs of rooms that are followed here: nobody can direct its requests elsewhere. @throws NotFound */
  private async requireFollowed(hub: string): Promise<void> {
    if (!(await this.hubs.has(hub))) throw new NotFound('This server does not follow a room of that hub.')
  }

  private async ask(hub: string, endpoint: Endpoint, body: Uint8Array): Promise<Uint8Array> {
    const answer = await this.client.send({ peer: hub, endpoint, argument: hub, body })
    if (answer.kind === 'answered' && answer.status === 200) return answer.body
    // The envelope is for a key that the gateway no longer has, so our copy of its keys is outdated.
    if (answer.kind === 'answered' && answer.problem === 'undecodable') this.copies.forget(hub)
    throw hubProblem(answer)
  }
}

/** How long a known hub is taken for followed without another query. */
const FOLLOWED_MAX_AGE_MS = 60_000
/** Unknown hubs may be invented by anyone; all of them together cost at most one query in this time. */
const FOLLOWED_MIN_AGE_MS = 250

/** The hubs of the rooms that are followed here, read all at once: an anonymous request causes no query of its own. */
export class FollowedHubs {
  private known: { readonly at: number; readonly hubs: ReadonlySet<string> } | undefined
  private readonly read: SharedValue<{ readonly at: number; readonly hubs: ReadonlySet<string> }>

  constructor(
    sql: Sql,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.read = new SharedValue(FOLLOWED_MIN_AGE_MS, async () => ({ at: now(), hubs: new Set(await followedHubs(sql)) }), now)
  }

  /** A hub that is followed since less than `FOLLOWED_MIN_AGE_MS` may not be known yet. */
  async has(hub: string): Promise<boolean> {
    if (this.known && this.now() - this.known.at < FOLLOWED_MAX_AGE_MS && this.known.hubs.has(hub)) return true
    this.known = await this.read.get()
    return this.known.hubs.has(hub)
  }
}
