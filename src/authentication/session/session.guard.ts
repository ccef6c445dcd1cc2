import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { Unauthenticated } from '../../platform/http/problem.js'
import { ANONYMOUS } from './anonymous.js'
import type { CallerCarrier } from './caller.js'
import { Sessions } from './sessions.js'

/** Every route needs `Authorization: Bearer <access token>` (RFC 6750 §2.1) unless it is `@Anonymous()`. */
@Injectable()
export class SessionGuard implements CanActivate {
  constructor(
    private readonly sessions: Sessions,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride<boolean | undefined>(ANONYMOUS, [context.getHandler(), context.getClass()]) === true) return true
    const request = context.switchToHttp().getRequest<CallerCarrier & { headers: { authorization?: string } }>()
    request.caller = await this.sessions.authenticate(bearerToken(request.headers.authorization))
    return true
  }
}

/** The scheme's name is case-insensitive (RFC 9110 §11.1). */
export function bearerToken(authorization: string | undefined): string {
  const token = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) throw new Unauthenticated()
  return token
}
