import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common'
import { DeviceRevoked } from '../../authentication/authentication.problems.js'
import type { Caller } from '../../authentication/session/caller.js'
import { Unavailable } from '../../platform/http/problem.js'
import { DeliveryMetrics } from '../delivery-metrics.js'
import { Interest } from '../interest.js'
import { STREAM_SETTINGS, type StreamSettings } from '../stream/stream-settings.js'
import type { Events, EventsQuery } from './events.dto.js'
import { EventsReader } from './events-reader.js'
import { Waiter } from './waiter.js'

const DEFAULT_LIMIT = 100

/** The events of the stream for clients that only speak HTTP: asked for, waited for, acknowledged in the next request. */
@Injectable()
export class Polling implements BeforeApplicationShutdown {
  private readonly waiters = new Map<bigint, Waiter>()
  private draining = false

  constructor(
    private readonly reader: EventsReader,
    private readonly interest: Interest,
    private readonly metrics: DeliveryMetrics,
    @Inject(STREAM_SETTINGS) private readonly settings: Pick<StreamSettings, 'maxStreams'>,
  ) {}

  beforeApplicationShutdown(): void {
    this.draining = true
    for (const waiter of this.waiters.values()) waiter.wake('over')
  }

  /** @param gone aborted when nobody waits for the answer any more */
  async events(caller: Caller, query: EventsQuery, gone: AbortSignal): Promise<Events> {
    const waiter = this.admit(caller)
    const deadline = performance.now() + (query.wait ?? 0) * 1000
    const onGone = () => waiter.wake('over')
    gone.addEventListener('abort', onGone)
    try {
      return await this.untilNews(caller.deviceId, query.limit ?? DEFAULT_LIMIT, waiter, deadline)
    } finally {
      gone.removeEventListener('abort', onGone)
      this.dismiss(caller.deviceId, waiter)
    }
  }

  private async untilNews(deviceId: bigint, limit: number, waiter: Waiter, deadline: number): Promise<Events> {
    let heads = new Map<bigint, bigint>()
    for (;;) {
      waiter.clearNews()
      const read = await this.reader.read(deviceId, limit, (gids) => {
        for (const gid of gids) waiter.watch(gid, () => heads.get(gid) ?? 0n)
      })
      heads = read.heads
      const { inbox, entries, more } = read.events
      const left = deadline - performance.now()
      if (inbox.length + entries.length > 0 || more || left <= 0) return read.events
      const woken = await waiter.wait(left)
      if (woken === 'revoked') throw new DeviceRevoked()
      if (woken === 'over') return read.events
    }
  }

  /** One per device, as with streams: a second poll ends the first, which is answered without events. */
  private admit(caller: Caller): Waiter {
    const { deviceId } = caller
    if (this.draining || this.waiters.size >= this.settings.maxStreams) throw new Unavailable()
    this.waiters.get(deviceId)?.wake('over')
    const waiter = new Waiter(this.interest, caller)
    this.waiters.set(deviceId, waiter)
    this.metrics.now.pollers = this.waiters.size
    return waiter
  }

  private dismiss(deviceId: bigint, waiter: Waiter): void {
    waiter.stop()
    if (this.waiters.get(deviceId) === waiter) this.waiters.delete(deviceId)
    this.metrics.now.pollers = this.waiters.size
  }
}
