import type { Events } from '../../platform/observability/events.js'

export const abuseReported = (events: Events, facts: { by_peer: boolean; reason: number; messages: number }): void =>
  events.record('abuse.reported', facts)

/** One provider has more reports open than are kept of it. */
export const abuseReportDropped = (events: Events): void => events.record('abuse.report_dropped')
