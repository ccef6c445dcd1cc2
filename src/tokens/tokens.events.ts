import type { Events } from '../platform/observability/events.js'

export const issuerKeyMade = (events: Events): void => events.record('issuer-key.made')

/** For whom is not said: what is issued and what is spent shall not meet in a log. */
export const tokensIssued = (events: Events, tokens: number): void => events.record('tokens.issued', { tokens })
