import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import { Pool } from 'pg'
import { Hints } from '../../platform/hints/hints.js'
import { POOL } from '../../platform/postgres/sql.js'
import { readDeviceStatuses, type DeviceStatus } from './device-statuses.repository.js'

/** A revocation whose hint was lost takes effect after this long. */
const MAX_STALENESS_MS = 1_000
const MAX_CACHED = 50_000

interface Asked {
  readonly at: number
  readonly status: Promise<DeviceStatus | undefined>
}

/**
 * Whether a device may still act: asked for on every request, so answers are shared for up to a second and dropped at
 * once by the hints `revoked` and `session-ended`. Promises are cached, not values: an answer that was under way when the
 * hint came goes to those who already waited for it, and to nobody later. Questions of one tick travel in one query.
 */
@Injectable()
export class DeviceStatuses implements OnModuleDestroy {
  private readonly cache = new LRUCache<bigint, Asked>({ max: MAX_CACHED })
  private batch: { ids: Set<bigint>; answer: Promise<Map<bigint, DeviceStatus>> } | undefined
  private readonly unsubscribe: () => void

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    hints: Hints,
  ) {
    this.unsubscribe = hints.subscribe((hint) => {
      if (hint.kind === 'revoked' || hint.kind === 'session-ended') this.cache.delete(hint.deviceId)
    })
  }

  onModuleDestroy(): void {
    this.unsubscribe()
  }

  /** Undefined for a device that the database does not know (any more). */
  of(deviceId: bigint): Promise<DeviceStatus | undefined> {
    const known = this.cache.get(deviceId)
    if (known !== undefined && performance.now() - known.at < MAX_STALENESS_MS) return known.status
    const asked: Asked = { at: performance.now(), status: this.ask(deviceId) }
    this.cache.set(deviceId, asked)
    asked.status.catch(() => {
      if (this.cache.get(deviceId) === asked) this.cache.delete(deviceId)
    })
    return asked.status
  }

  private async ask(deviceId: bigint): Promise<DeviceStatus | undefined> {
    const batch = (this.batch ??= this.nextBatch())
    batch.ids.add(deviceId)
    return (await batch.answer).get(deviceId)
  }

  private nextBatch() {
    const ids = new Set<bigint>()
    const answer = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.batch = undefined
      return readDeviceStatuses(this.pool, [...ids])
    })
    return { ids, answer }
  }
}
