import { Injectable, type OnModuleDestroy } from '@nestjs/common'
import type { CarriedEntries, Hint } from '../platform/hints/hint.js'
import { Hints } from '../platform/hints/hints.js'

/** What may have happened to a device; like a hint, it may come twice or be old. */
export type DeviceNews =
  | { kind: 'inbox' }
  | { kind: 'revoked' }
  /** It logged out, or its refresh token was stolen. */
  | { kind: 'session-ended' }
  | { kind: 'displaced' | 'stream-open'; streamId: string }
  /** From the sweep: the device is in other groups than before, or in another way. */
  | { kind: 'memberships' }
  /** From the sweep: a stream of the device was opened, on any node. Of two, the one of the greater `order` was opened later. */
  | { kind: 'opened'; streamId: string; order: bigint }
  /** By the sweep: the oldest inbox ids that the table holds right now, and which generation of sessions counts. */
  | { kind: 'swept'; inboxIds: readonly bigint[]; generation: number }

/** The log of a group reaches `headSeq`. */
export interface GroupNews {
  headSeq: bigint
  /** Set by the sweep, and with `entries`. */
  incarnation?: number | undefined
  /** The last application entries up to `headSeq`. */
  entries?: CarriedEntries | undefined
}
export type GroupListener = (news: GroupNews) => void
export type DeviceListener = (news: DeviceNews) => void

/**
 * The listeners on this node, by group and by device. All hints of all nodes arrive here; most concern no listener, and
 * have to be cheap (two look-ups).
 */
@Injectable()
export class Interest implements OnModuleDestroy {
  private readonly groups = new Map<bigint, Set<GroupListener>>()
  private readonly watchedDevices = new Map<bigint, Set<DeviceListener>>()
  private readonly unsubscribe: () => void

  constructor(hints: Hints) {
    this.unsubscribe = hints.subscribe((hint) => this.receive(hint))
  }

  onModuleDestroy(): void {
    this.unsubscribe()
  }

  /** @returns ends the watch */
  watchGroup(gid: bigint, listener: GroupListener): () => void {
    return watch(this.groups, gid, listener)
  }

  watchDevice(deviceId: bigint, listener: DeviceListener): () => void {
    return watch(this.watchedDevices, deviceId, listener)
  }

  gids(): bigint[] {
    return [...this.groups.keys()]
  }

  deviceIds(): bigint[] {
    return [...this.watchedDevices.keys()]
  }

  notifyGroup(gid: bigint, news: GroupNews): void {
    for (const listener of [...(this.groups.get(gid) ?? [])]) listener(news)
  }

  notifyDevice(deviceId: bigint, news: DeviceNews): void {
    for (const listener of [...(this.watchedDevices.get(deviceId) ?? [])]) listener(news)
  }

  private receive(hint: Hint): void {
    if (hint.kind === 'group') this.notifyGroup(hint.gid, hint)
    else if (hint.kind === 'displaced' || hint.kind === 'stream-open')
      this.notifyDevice(hint.deviceId, { kind: hint.kind, streamId: hint.streamId })
    else if (hint.kind === 'revoked' || hint.kind === 'session-ended') this.notifyDevice(hint.deviceId, { kind: hint.kind })
    // An acknowledged Welcome opens a log, and what is in the inbox has changed: the same look at both.
    else this.notifyDevice(hint.deviceId, { kind: 'inbox' })
  }
}

function watch<Listener>(map: Map<bigint, Set<Listener>>, key: bigint, listener: Listener): () => void {
  const listeners = map.get(key) ?? new Set<Listener>()
  map.set(key, listeners.add(listener))
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0 && map.get(key) === listeners) map.delete(key)
  }
}
