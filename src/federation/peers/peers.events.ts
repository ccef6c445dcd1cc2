import type { Events } from '../../platform/observability/events.js'

// Which peer it was is for `peers list`, not for the log.

export const peerFirstSeen = (events: Events): void => events.record('peer.first_seen')

export const peerAlarmed = (events: Events, why: string): void => events.record('peer.alarmed', { why })

export const peerKeysChanged = (events: Events): void => events.record('peer.keys_changed')
