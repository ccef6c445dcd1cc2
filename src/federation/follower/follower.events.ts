import type { Events } from '../../platform/observability/events.js'

export const batchReceived = (events: Events, entries: number): void => events.record('batch.received', { entries })

export const batchOutOfPlace = (events: Events): void => events.record('batch.out_of_place')

/** A hub has signed two histories of a group. */
export const hubEquivocated = (events: Events): void => events.record('hub.equivocated')

export const replicaDeleted = (events: Events, entries: bigint): void => events.record('replica.deleted', { entries: Number(entries) })
