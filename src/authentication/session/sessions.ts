import { Injectable } from '@nestjs/common'
import { Unauthenticated } from '../../platform/http/problem.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { DeviceRevoked, TokenExpired } from '../authentication.problems.js'
import { AccessTokens, type AccessToken } from '../keys/access-tokens.js'
import type { ProvenRequest } from '../possession/dpop-proof.js'
import { DpopRequired } from '../possession/possession.problems.js'
import { Possession } from '../possession/possession.js'
import type { Caller, CallerCarrier } from './caller.js'
import type { SessionDevice } from './device-statuses.repository.js'
import { DeviceStatuses } from './device-statuses.js'

/** An access token as it came. */
export interface Credentials {
  readonly token: string
  /** The proof that came with it under the scheme `DPoP`; undefined under `Bearer`. */
  readonly proof: string | undefined
}

/** Who an access token speaks for, right now. */
@Injectable()
export class Sessions {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly statuses: DeviceStatuses,
    private readonly possession: Possession,
  ) {}

  /**
   * @param request the one that the proof has to be about
   * @throws Problem 401 `unauthenticated`, `token-expired`, `device-revoked`, `dpop-required`, `dpop-refused` or `dpop-stale`
   */
  async authenticate(credentials: Credentials, request: ProvenRequest): Promise<Caller> {
    const token = await this.tokens.verify(credentials.token)
    if (token.kind === 'invalid') throw new Unauthenticated()
    if (token.kind === 'expired') throw new TokenExpired()
    // The second of these may ask Redis, and the first the database: at the same time.
    const [device] = await Promise.all([this.statuses.of(token.client), this.prove(token, credentials, request)])
    const client = parseClientUri(token.client)
    if (client === undefined) throw new Unauthenticated()
    const { deviceId, userId, generation } = requireSession(device, token.generation)
    return { deviceId, userId, client: token.client, user: userUri(client), generation, expiresAt: token.expiresAt }
  }

  /**
   * The same of a session that was authenticated before, for what comes over a stream.
   * @throws Problem 401 `unauthenticated` or `device-revoked`
   */
  async check({ client, generation }: Pick<Caller, 'client' | 'generation'>): Promise<void> {
    requireSession(await this.statuses.of(client), generation)
  }

  /** A token that is bound to a key comes under `DPoP` with a proof, any other under `Bearer` (RFC 9449 §7). */
  private async prove({ key }: AccessToken, { token, proof }: Credentials, request: ProvenRequest): Promise<void> {
    if (key === undefined) {
      if (proof !== undefined) throw new Unauthenticated('This access token is bound to no key: Authorization: Bearer …')
      return
    }
    if (proof === undefined)
      throw new DpopRequired('This access token is bound to a key: Authorization: DPoP …, with a proof in the field DPoP.')
    await this.possession.spend(key, await this.possession.proven(key, proof, token, request))
  }
}

function requireSession(device: SessionDevice | undefined, generation: number): SessionDevice {
  if (device === undefined) throw new Unauthenticated()
  if (device.revoked) throw new DeviceRevoked()
  if (device.generation !== generation) throw new Unauthenticated('This session was ended.')
  return device
}

/**
 * Every route needs an access token (RFC 9449 §7.1, or RFC 6750 §2.1) unless it is `@Anonymous()`. Leaves the caller on the request, for
 * `@CurrentDevice()`. It runs before anything of the body is read.
 * @throws Problem 401, see `Sessions.authenticate`
 */
export async function authenticateRequest(
  sessions: Pick<Sessions, 'authenticate'>,
  request: CallerCarrier & ProvenRequest & { headers: { authorization?: string | undefined } },
): Promise<Caller> {
  const caller = await sessions.authenticate(credentialsIn(request.headers), request)
  request.caller = caller
  return caller
}

/** The scheme's name is case-insensitive (RFC 9110 §11.1). */
export function credentialsIn({ authorization, dpop }: ProvenRequest['headers'] & { authorization?: string | undefined }): Credentials {
  const [, scheme = '', token] = /^(Bearer|DPoP) +([A-Za-z0-9._~+/=-]+)$/i.exec(authorization ?? '') ?? []
  if (token === undefined) throw new Unauthenticated()
  if (scheme.toLowerCase() === 'bearer') return { token, proof: undefined }
  if (dpop === undefined) throw new DpopRequired()
  return { token, proof: String(dpop) }
}
