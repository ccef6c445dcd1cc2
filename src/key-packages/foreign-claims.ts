import { Inject, Injectable } from '@nestjs/common'
import type { Caller } from '../authentication/session/caller.js'
import { CONFIG, type Config } from '../platform/config/config.js'
import { NotFound } from '../platform/http/problem.js'
import { parseUserUri } from '../protocol/identifiers.js'
import { Claims } from './claims.js'
import type { ClaimKeyPackages, KeyPackagesClaimed } from './key-packages.dto.js'
import { NoConsent, SignedRequestNeeded } from './key-packages.problems.js'

/** Whether a user lets another have its KeyPackages. */
export type Allows = (requester: string, target: string) => Promise<boolean>
export type ForeignClaim = (caller: Caller, user: string, request: Uint8Array) => Promise<KeyPackagesClaimed>

/**
 * Claims that other providers answer, or that are for rooms there: requests that the device has signed, which go through the
 * hub of the room. The layer that knows other providers connects itself.
 */
@Injectable()
export class ForeignClaims {
  private send: ForeignClaim | undefined
  private allows: Allows = async () => true

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly claims: Claims,
  ) {}

  /** @param send undefined where there are no other providers */
  connect(send: ForeignClaim | undefined, allows: Allows): void {
    this.send = send
    this.allows = allows
  }

  /** For a user of any provider. @throws NotFound, SignedRequestNeeded, NoConsent */
  async claim(caller: Caller, { key_material_request: signed, ...request }: ClaimKeyPackages): Promise<KeyPackagesClaimed> {
    if (!this.send && signed) throw new NotFound('This server does not federate.')
    if (this.send && signed) return this.send(caller, request.user, signed)
    if (this.send && parseUserUri(request.user)?.domain !== this.config.DOMAIN) throw new SignedRequestNeeded()
    if (!(await this.allows(caller.user, request.user))) throw new NoConsent()
    return this.claims.claim(caller, request)
  }
}
