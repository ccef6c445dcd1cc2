import type { Ack } from './acks.repository.js'

/**
 * Acknowledged on this node and not yet written. Cumulative, so one number per device and group is enough; it only
 * ever grows, and a seq of an older incarnation is ignored.
 */
export class AckBook {
  private readonly devices = new Map<bigint, Map<bigint, Ack>>()
  private rows = 0

  get size(): number {
    return this.rows
  }

  record(ack: Ack): void {
    const groups = this.devices.get(ack.deviceId) ?? new Map<bigint, Ack>()
    const known = groups.get(ack.gid)
    if (known && (known.incarnation > ack.incarnation || (known.incarnation === ack.incarnation && known.seq >= ack.seq))) return
    if (!known) this.rows += 1
    groups.set(ack.gid, ack)
    this.devices.set(ack.deviceId, groups)
  }

  /** How far a device is in a group, if this node knows it better than the table. */
  seqOf(deviceId: bigint, gid: bigint, incarnation: number): bigint | undefined {
    const ack = this.devices.get(deviceId)?.get(gid)
    return ack?.incarnation === incarnation ? ack.seq : undefined
  }

  /** What was acknowledged of this group is not in its log any more. */
  forget(deviceId: bigint, gid: bigint): void {
    const ack = this.devices.get(deviceId)?.get(gid)
    if (ack) this.written([ack])
  }

  /** Up to `limit` acks in the order in which their rows are locked, of one device or of all. They stay in the book. */
  pages(limit: number, deviceIds?: Iterable<bigint>): Ack[][] {
    const chosen = [...(deviceIds ?? this.devices.keys())].flatMap((deviceId) => [...(this.devices.get(deviceId)?.values() ?? [])])
    chosen.sort((a, b) => compare(a.deviceId, b.deviceId) || compare(a.gid, b.gid))
    const pages: Ack[][] = []
    for (let at = 0; at < chosen.length; at += limit) pages.push(chosen.slice(at, at + limit))
    return pages
  }

  /** These are in the table now: they leave the book, but for what the device has acknowledged since. */
  written(acks: readonly Ack[]): void {
    for (const ack of acks) {
      const groups = this.devices.get(ack.deviceId)
      if (groups?.get(ack.gid) !== ack) continue
      groups.delete(ack.gid)
      this.rows -= 1
      if (groups.size === 0) this.devices.delete(ack.deviceId)
    }
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
