import type { Events } from '../../platform/observability/events.js'

export const identifierQueryAnswered = (events: Events, code: string, byPeer: boolean): void =>
  events.record('identifier_query.answered', { code, by_peer: byPeer })
