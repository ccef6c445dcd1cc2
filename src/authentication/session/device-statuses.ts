import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import { Pool } from 'pg'
import { Hints } from '../../platform/hints/hints.js'
import { POOL } from '../../platform/postgres/sql.js'
import { readSessionDevices, type SessionDevice } from './device-statuses.repository.js'

/** A revocation whose hint was lost takes effect after this long. */
const MAX_STALENESS_MS = 1_000
const MAX_CACHED = 50_000

interface Asked {
  readonly at: number
  readonly device: Promise<SessionDevice | undefined>
}

/**
 * Which device a token speaks for, and whether that may still act: asked for on every request, so answers are shared for up to a second
 * and dropped at once by the hints `revoked` and `session-ended`. Promises are cached, not values: an answer that was under way when the
 * hint came goes to those who already waited for it, and to nobody later. Questions of one tick travel in one query.
 */
@Injectable()
export class DeviceStatuses implements OnModuleDestroy {
  /** By client URI. */
  private readonly cache = new LRUCache<string, Asked>({ max: MAX_CACHED })
  /** Names of the devices in the cache, by row id, which is what hints have. */
  private readonly names = new LRUCache<bigint, string>({ max: MAX_CACHED })
  /** Those whose row is being read. */
  private readonly underWay = new Set<string>()
  private batch: { clients: Set<string>; answer: Promise<Map<string, SessionDevice>> } | undefined
  private readonly unsubscribe: () => void

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    hints: Hints,
  ) {
    this.unsubscribe = hints.subscribe((hint) => {
      if (hint.kind === 'revoked' || hint.kind === 'session-ended') this.forget(hint.deviceId)
    })
  }

  onModuleDestroy(): void {
    this.unsubscribe()
  }

  /** Undefined for a device that the database does not know (any more). @param client client URI */
  of(client: string): Promise<SessionDevice | undefined> {
    const known = this.cache.get(client)
    if (known !== undefined && performance.now() - known.at < MAX_STALENESS_MS) return known.device
    const asked: Asked = { at: performance.now(), device: this.ask(client) }
    this.cache.set(client, asked)
    asked.device.catch(() => {
      if (this.cache.get(client) === asked) this.cache.delete(client)
    })
    return asked.device
  }

  /** Which of the rows under way is the device's is not known yet, so none of them stays. */
  private forget(deviceId: bigint): void {
    const name = this.names.get(deviceId)
    if (name !== undefined) this.cache.delete(name)
    for (const client of this.underWay) this.cache.delete(client)
  }

  private async ask(client: string): Promise<SessionDevice | undefined> {
    const batch = (this.batch ??= this.nextBatch())
    batch.clients.add(client)
    const device = (await batch.answer).get(client)
    if (device !== undefined) this.names.set(device.deviceId, client)
    return device
  }

  private nextBatch() {
    const clients = new Set<string>()
    const answer = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.batch = undefined
      return this.read(clients)
    })
    return { clients, answer }
  }

  private async read(clients: ReadonlySet<string>): Promise<Map<string, SessionDevice>> {
    for (const client of clients) this.underWay.add(client)
    try {
      return await readSessionDevices(this.pool, [...clients])
    } finally {
      for (const client of clients) this.underWay.delete(client)
    }
  }
}
