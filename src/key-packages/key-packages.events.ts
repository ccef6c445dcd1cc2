import type { Events } from '../platform/observability/events.js'

/** A device has published KeyPackages. */
export function keyPackagesUploaded(events: Events, facts: { count: number; last_resort: number }): void {
  events.record('key-packages.uploaded', facts)
}

/** `last_resort` rising means that devices do not refill, or that somebody drains them. */
export function keyPackagesClaimed(events: Events, facts: { count: number; last_resort: number; unavailable: number; low: number }): void {
  events.record('key-packages.claimed', facts)
}

/** One run of the purge. @param facts.low devices that were told to publish more */
export function keyPackagesPurged(events: Events, facts: { rows: number; low: number }): void {
  events.record('key-packages.purged', facts)
}
