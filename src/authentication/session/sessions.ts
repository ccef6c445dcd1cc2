import { Injectable } from '@nestjs/common'
import { Unauthenticated } from '../../platform/http/problem.js'
import { DeviceRevoked, TokenExpired } from '../authentication.problems.js'
import { AccessTokens } from '../keys/access-tokens.js'
import type { Caller } from './caller.js'
import { DeviceStatuses } from './device-statuses.js'

/** Who a Bearer token speaks for, right now. */
@Injectable()
export class Sessions {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly statuses: DeviceStatuses,
  ) {}

  /**
   * @param bearer the access token itself, without `Bearer `
   * @throws Problem 401 `unauthenticated`, `token-expired` or `device-revoked`
   */
  async authenticate(bearer: string): Promise<Caller> {
    const token = await this.tokens.verify(bearer)
    if (token.kind === 'invalid') throw new Unauthenticated()
    if (token.kind === 'expired') throw new TokenExpired()
    const status = await this.statuses.of(token.caller.deviceId)
    if (status === undefined) throw new Unauthenticated()
    if (status.revoked) throw new DeviceRevoked()
    if (status.generation !== token.caller.generation) throw new Unauthenticated('This session was ended.')
    return token.caller
  }
}
