import { Injectable } from '@nestjs/common'
import { Unauthenticated } from '../../platform/http/problem.js'
import { DeviceRevoked, TokenExpired } from '../authentication.problems.js'
import { AccessTokens } from '../keys/access-tokens.js'
import type { Caller, CallerCarrier } from './caller.js'
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

/**
 * Every route needs `Authorization: Bearer <access token>` (RFC 6750 §2.1) unless it is `@Anonymous()`. Leaves the caller on
 * the request, for `@CurrentDevice()`. It runs before anything of the body is read.
 * @throws Problem 401 `unauthenticated`, `token-expired` or `device-revoked`
 */
export async function authenticateRequest(
  sessions: Pick<Sessions, 'authenticate'>,
  request: CallerCarrier & { headers: { authorization?: string | undefined } },
): Promise<Caller> {
  const caller = await sessions.authenticate(bearerToken(request.headers.authorization))
  request.caller = caller
  return caller
}

/** The scheme's name is case-insensitive (RFC 9110 §11.1). */
export function bearerToken(authorization: string | undefined): string {
  const token = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) throw new Unauthenticated()
  return token
}
