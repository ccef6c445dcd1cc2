import type { Events } from '../platform/observability/events.js'

// What happens here, for the log and the metrics; never who.

export const accountRegistered = (events: Events, by: 'anyone' | 'invite' | 'operator'): void => events.record('account.registered', { by })

export const accountDisabled = (events: Events, devices: number): void => events.record('account.disabled', { devices })

/** By its user, an operator, or the provider that it is of. */
export const accountDeleted = (events: Events): void => events.record('account.deleted')

/** Nothing is left of a deleted account. */
export const accountErased = (events: Events): void => events.record('account.erased')

export const deviceRegistered = (events: Events, keys: number): void => events.record('device.registered', { keys })

export const deviceRevoked = (events: Events, facts: { self: boolean }): void => events.record('device.revoked', facts)

export const signatureKeyAdded = (events: Events, facts: { scheme: number; succession: boolean }): void =>
  events.record('signature-key.added', facts)

export const signatureKeyRetired = (events: Events): void => events.record('signature-key.retired')

export const deviceListChanged = (events: Events, facts: { entries: number; revoked: number }): void =>
  events.record('device-list.changed', facts)

/** Somebody with a session tried what needs a fresh proof by a key as well. `purpose` is one of STEP_UP_PURPOSES. */
export const stepUpRefused = (events: Events, facts: { purpose: string }): void => events.record('step-up.refused', facts)

export const sessionOpened = (events: Events): void => events.record('session.opened')

export const sessionEnded = (events: Events): void => events.record('session.ended')

/** Somebody presented a refresh token that was used long ago: the token was copied. */
export const refreshTokenReused = (events: Events): void => events.record('refresh-token.reused')

export const tokenKeyRotated = (events: Events): void => events.record('token-key.rotated')

/** A device got a certificate for a key of its own. */
export const x509Issued = (events: Events): void => events.record('x509.issued')

export const x509AuthorityRotated = (events: Events): void => events.record('x509-authority.rotated')
