import type { Events } from '../../platform/observability/events.js'

export const batchPushed = (events: Events, entries: number): void => events.record('batch.pushed', { entries })

export const pushFailed = (events: Events, why: string): void => events.record('push.failed', { why })

/** A peer refuses a group for good; it waits for the operator. */
export const laneStopped = (events: Events, why: string): void => events.record('lane.stopped', { why })

export const deletionConfirmed = (events: Events): void => events.record('deletion.confirmed')

export const deletionRefused = (events: Events): void => events.record('deletion.refused')
