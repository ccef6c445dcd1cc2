import { Unauthenticated } from '../../platform/http/problem.js'
import type { Caller, CallerCarrier } from './caller.js'
import type { Sessions } from './sessions.js'

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
