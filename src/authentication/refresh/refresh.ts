import { Injectable } from '@nestjs/common'
import { Hints } from '../../platform/hints/hints.js'
import { AuthenticationEvents } from '../authentication.events.js'
import { RefreshRefused } from '../authentication.problems.js'
import type { Caller } from '../session/caller.js'
import { SessionIssuer } from '../session/session-issuer.js'
import { SessionRenewal } from './session-renewal.js'
import type { Session } from '../session/sessions.dto.js'

/** How a session goes on, and how it ends. */
@Injectable()
export class Refresh {
  constructor(
    private readonly renewal: SessionRenewal,
    private readonly issuer: SessionIssuer,
    private readonly hints: Hints,
    private readonly events: AuthenticationEvents,
  ) {}

  async refresh(token: Uint8Array): Promise<Session> {
    const renewal = await this.renewal.renew(token)
    if (renewal.kind === 'renewed') return this.issuer.issue(renewal.session)
    this.events.refreshTokenReused()
    this.hints.publish([{ kind: 'session-ended', deviceId: renewal.deviceId }])
    throw new RefreshRefused()
  }

  async end({ deviceId, userId }: Caller): Promise<void> {
    await this.renewal.end(deviceId, userId)
    this.events.sessionEnded()
    this.hints.publish([{ kind: 'session-ended', deviceId }])
  }
}
