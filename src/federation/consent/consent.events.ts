import type { Events } from '../../platform/observability/events.js'
import type { Decision } from './consents.repository.js'

export const consentRequested = (events: Events, abroad: boolean): void => events.record('consent.requested', { abroad })

export const consentDecided = (events: Events, state: Decision, abroad: boolean): void =>
  events.record('consent.decided', { state, abroad })

/** The open requests to one user are as many as its provider keeps. */
export const consentDropped = (events: Events): void => events.record('consent.dropped')
