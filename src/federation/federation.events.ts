import type { Events } from '../platform/observability/events.js'
import type { Decision } from './consent/consents.repository.js'

// Which peer it was is for `peers list`, not for the log.

// Key directories of peers.

export const peerFirstSeen = (events: Events): void => events.record('peer.first_seen')

export const peerAlarmed = (events: Events, why: string): void => events.record('peer.alarmed', { why })

/** A peer's directory cannot be fetched, and what is known of it ends within days. */
export const peerDirectoryEnding = (events: Events): void => events.record('peer.directory_ending')

export const peerKeysChanged = (events: Events): void => events.record('peer.keys_changed')

/** @param ahead by how many seconds, negative where it is behind */
export const peerClockOff = (events: Events, ahead: number): void => events.record('peer.clock_off', { ahead })

/** Another issuer's new keys for send tokens were not announced, or are too many; those from before stay in force. */
export const issuerKeysRefused = (events: Events, why: string): void => events.record('issuer_keys.refused', { why })

// As a hub.

export const batchPushed = (events: Events, entries: number): void => events.record('batch.pushed', { entries })

export const pushFailed = (events: Events, why: string): void => events.record('push.failed', { why })

/** A peer cannot take the next batch of one group now. */
export const batchPostponed = (events: Events, why: string): void => events.record('batch.postponed', { why: why.slice(0, 40) })

/** A peer refuses a group for good, or has not taken its next batch many times; it is tried again hours later. */
export const laneStopped = (events: Events, why: string): void => events.record('lane.stopped', { why })

export const deletionConfirmed = (events: Events): void => events.record('deletion.confirmed')

export const deletionRefused = (events: Events): void => events.record('deletion.refused')

/** A peer has signed that it erases a user who was deleted here. */
export const erasureConfirmed = (events: Events): void => events.record('erasure.confirmed')

export const erasureRefused = (events: Events): void => events.record('erasure.refused')

// As a follower.

export const batchReceived = (events: Events, entries: number): void => events.record('batch.received', { entries })

export const batchOutOfPlace = (events: Events): void => events.record('batch.out_of_place')

/** A hub has signed two things of a group that exclude each other. @param kind of the evidence */
export const hubEquivocated = (events: Events, kind: string): void => events.record('hub.equivocated', { kind })

/** A hub goes on in a new incarnation, as after a restore. @param vanished entries that went with it */
export const incarnationBegun = (events: Events, vanished: bigint): void =>
  events.record('incarnation.begun', { vanished: Number(vanished) })

/** A group is followed no further until the operator has looked at the evidence. */
export const replicaStopped = (events: Events, why: 'equivocation' | 'rewritten'): void => events.record('replica.stopped', { why })

/** A batch was not stored, as the hub has as much here as it may. @param by the limit, by its name in docs/limits.md */
export const peerHeldBack = (events: Events, by: string): void => events.record('peer.held_back', { by })

export const replicaDeleted = (events: Events, entries: bigint): void => events.record('replica.deleted', { entries: Number(entries) })

/** Groups of other hubs that nobody here has taken up are gone. */
export const replicasForgotten = (events: Events, groups: number): void => events.record('replicas.forgotten', { groups })

// Between users of two providers.

export const consentRequested = (events: Events, abroad: boolean): void => events.record('consent.requested', { abroad })

export const consentDecided = (events: Events, state: Decision, abroad: boolean): void =>
  events.record('consent.decided', { state, abroad })

/** The open requests to one user are as many as its provider keeps. */
export const consentDropped = (events: Events): void => events.record('consent.dropped')

export const identifierQueryAnswered = (events: Events, code: string, byPeer: boolean): void =>
  events.record('identifier_query.answered', { code, by_peer: byPeer })

export const abuseReported = (events: Events, facts: { by_peer: boolean; reason: number; messages: number }): void =>
  events.record('abuse.reported', facts)

/** One provider has more reports open than are kept of it. */
export const abuseReportDropped = (events: Events): void => events.record('abuse.report_dropped')

/** A hub says of devices here that they joined, and nothing shows it: they stay out. */
export const joinsUnproven = (events: Events, joins: number): void => events.record('join.unproven', { joins })
