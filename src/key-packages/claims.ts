import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { devicesOfUser } from '../authentication/directory/directory.repository.js'
import type { Caller } from '../authentication/session/caller.js'
import { CONFIG, type Config } from '../platform/config/config.js'
import { parseUserUri } from '../protocol/identifiers.js'
import { Hints } from '../platform/hints/hints.js'
import { NotFound } from '../platform/http/problem.js'
import { Limits } from '../platform/limits/limits.js'
import { Events } from '../platform/observability/events.js'
import { POOL } from '../platform/postgres/sql.js'
import { claimKeyPackages, havingKeyPackages, type ClaimedKeyPackage, type Claimer, type Wanted } from './claims.repository.js'
import type { ClaimKeyPackages, KeyPackagesClaimed } from './key-packages.dto.js'
import { keyPackagesClaimed } from './key-packages.events.js'

/** Types that every client supports and none lists (RFC 9420 §7.2), so that requiring them asks for nothing. */
const DEFAULT_EXTENSIONS = [1, 2, 3, 4, 5]
const DEFAULT_PROPOSALS = [1, 2, 3, 4, 5, 6, 7]

/** Hands out KeyPackages to users who want to add their owners to a group. */
@Injectable()
export class Claims {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Config,
    private readonly limits: Limits,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  /** One per device of the user. The calling device never gets its own: a claim for one's own account is for the other devices. */
  claim(caller: Caller, request: ClaimKeyPackages): Promise<KeyPackagesClaimed> {
    return this.hand({ user: caller.user, isStranger: false }, request.user, wanted(request), caller.deviceId)
  }

  /** The same for a claimer of any provider, whose right to claim has been checked. @throws NotFound, RateLimited */
  async hand(claimer: Claimer, user: string, what: Wanted, except?: bigint): Promise<KeyPackagesClaimed> {
    await this.spend(claimer, user)
    const devices = await devicesOfUser(this.pool, user)
    if (devices.length === 0)
      throw new NotFound(
        'This server has no such user, or the user has no device. Users of other providers need federation and key_material_request.',
      )
    const targets = devices.filter((device) => device.deviceId !== except)

    const ids = targets.map((device) => device.deviceId)
    const { claimed, notified } = await claimKeyPackages(this.pool, ids, what, this.config.KEY_PACKAGE_LOW, claimer)
    this.hints.publish([...new Set(notified)].map((deviceId) => ({ kind: 'inbox', deviceId })))

    const given = new Set(claimed.map(({ deviceId }) => deviceId))
    const without = ids.filter((id) => !given.has(id))
    const kept = claimer.isStranger ? what.cipherSuites : []
    const others = without.length > 0 ? await havingKeyPackages(this.pool, without, kept) : new Set<bigint>()
    const answer = answerFor(targets, claimed, others)
    keyPackagesClaimed(this.events, {
      count: claimed.length,
      last_resort: claimed.filter((item) => item.lastResort).length,
      unavailable: answer.unavailable.length,
      low: notified.length,
    })
    return answer
  }

  /**
   * Slows down a claimer that would use up other people's KeyPackages (RFC 9420 §16.8). In this order, so that a claimer over its own
   * limits uses up nothing of the target's, which others share: all users of this server, those of a peer whom the target knows, and its others.
   */
  private async spend({ user: claimer, isStranger }: Claimer, target: string): Promise<void> {
    const { CLAIMS_PER_MINUTE: byOne, CLAIMS_PER_PAIR_PER_MINUTE: pair, CLAIMS_PER_TARGET_PER_MINUTE: ofOne } = this.config
    await this.limits.take({ name: 'claims-by', points: byOne, seconds: 60 }, claimer)
    await this.limits.take({ name: 'claims-pair', points: pair, seconds: 60 }, `${claimer} ${target}`)
    const provider = parseUserUri(claimer)?.domain ?? ''
    if (provider === this.config.DOMAIN) await this.limits.take({ name: 'claims-of', points: ofOne, seconds: 60 }, target)
    else await this.limits.take({ name: 'claims-of-by-peer', points: ofOne, seconds: 60 }, `${provider} ${isStranger} ${target}`)
  }
}

function wanted({ cipher_suites: cipherSuites, required_capabilities: required }: ClaimKeyPackages): Wanted {
  return wantedOf(cipherSuites, required)
}

/** What a claim asks for, without the types that no client has to list. */
export function wantedOf(cipherSuites: readonly number[], required: Omit<Wanted, 'cipherSuites'>): Wanted {
  return {
    cipherSuites: [...new Set(cipherSuites)],
    extensions: required.extensions.filter((type) => !DEFAULT_EXTENSIONS.includes(type)),
    proposals: required.proposals.filter((type) => !DEFAULT_PROPOSALS.includes(type)),
    credentials: required.credentials,
  }
}

/** @param others devices that have KeyPackages, though none that was wanted */
function answerFor(
  targets: readonly { deviceId: bigint; client: string }[],
  claimed: readonly ClaimedKeyPackage[],
  others: ReadonlySet<bigint>,
): KeyPackagesClaimed {
  const byDevice = new Map(claimed.map((item) => [item.deviceId, item]))
  const without = targets.filter(({ deviceId }) => !byDevice.has(deviceId))
  return {
    key_packages: targets.flatMap(({ deviceId, client }) => {
      const item = byDevice.get(deviceId)
      if (item === undefined) return []
      return [{ client, cipher_suite: item.cipherSuite, key_package: item.bytes, ref: item.ref, last_resort: item.lastResort }]
    }),
    unavailable: without.map(({ client }) => client),
    reasons: without.map(({ deviceId, client }) => ({ client, reason: others.has(deviceId) ? 'incompatible' : 'exhausted' })),
  }
}
