import { Injectable } from '@nestjs/common'
import { Events } from '../platform/observability/events.js'

/** What happens here, for the log and the metrics; never who. */
@Injectable()
export class AuthenticationEvents {
  constructor(private readonly events: Events) {}

  accountRegistered(facts: { by: 'anyone' | 'invite' | 'operator' }): void {
    this.events.record('account.registered', facts)
  }

  accountDisabled(facts: { devices: number }): void {
    this.events.record('account.disabled', facts)
  }

  deviceRegistered(facts: { keys: number }): void {
    this.events.record('device.registered', facts)
  }

  deviceRevoked(facts: { self: boolean }): void {
    this.events.record('device.revoked', facts)
  }

  signatureKeyAdded(facts: { scheme: number; succession: boolean }): void {
    this.events.record('signature-key.added', facts)
  }

  signatureKeyRetired(): void {
    this.events.record('signature-key.retired')
  }

  sessionOpened(): void {
    this.events.record('session.opened')
  }

  sessionEnded(): void {
    this.events.record('session.ended')
  }

  /** Somebody presented a refresh token that was used long ago: the token was copied. */
  refreshTokenReused(): void {
    this.events.record('refresh-token.reused')
  }

  tokenKeyRotated(): void {
    this.events.record('token-key.rotated')
  }
}
