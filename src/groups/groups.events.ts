import type { Events } from '../platform/observability/events.js'

// Facts only that could not tell who, what or where: counts, sizes, modes.

export const groupCreated = (events: Events, mode: string, successor: boolean): void => events.record('group.created', { mode, successor })

export const commitAccepted = (events: Events, facts: { mode: string; external: boolean; added: number; removed: number }): void =>
  events.record('commit.accepted', facts)

export const commitRefused = (events: Events, reason: string): void => events.record('commit.refused', { reason })

export const proposalAccepted = (events: Events, mode: string): void => events.record('proposal.accepted', { mode })

export const removalProposed = (events: Events, reason: 'leave' | 'revoke', inLog: boolean): void =>
  events.record('removal.proposed', { reason, in_log: inLog })

export const commitReported = (events: Events, facts: { reason: string; reports: number; needed: number }): void =>
  events.record('commit.reported', facts)

export const groupReset = (events: Events, byAdmin: boolean): void => events.record('group.reset', { by_admin: byAdmin })

export const resetUndone = (events: Events, hadSuccessor: boolean): void =>
  events.record('group.reset-undone', { had_successor: hadSuccessor })

export const groupDeleted = (events: Events, entries: bigint): void => events.record('group.deleted', { entries: Number(entries) })

export const snapshotTaken = (events: Events, bytes: number): void => events.record('snapshot.taken', { bytes })
