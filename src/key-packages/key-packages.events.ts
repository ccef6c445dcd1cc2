import type { Events } from '../platform/observability/events.js'

/** `last_resort` of the `count` are of last resort. */
export function keyPackagesUploaded(events: Events, facts: { count: number; last_resort: number }): void {
  events.record('key-packages.uploaded', facts)
}

/** `last_resort` rising means that devices do not refill, or that somebody drains them. */
export function keyPackagesClaimed(events: Events, facts: { count: number; last_resort: number; unavailable: number; low: number }): void {
  events.record('key-packages.claimed', facts)
}

/** `low`: devices that were left with few. */
export function keyPackagesPurged(events: Events, facts: { rows: number; low: number }): void {
  events.record('key-packages.purged', facts)
}
