import { acknowledgeInbox, readInbox } from '../inbox/inbox.repository.js'
import { inboxFrame } from '../inbox/inbox-item.js'
import type { Connection } from '../socket/connection.js'
import type { StreamResources } from './stream-resources.js'

const ITEMS_PER_READ = 32

/** The inbox of one stream's device: what is on its way, and what the device has acknowledged of it. */
export class InboxQueue {
  private dirty = true
  private readonly onTheWay = new Set<bigint>()
  private readonly acknowledged = new Set<bigint>()
  private sweptOnTheWay = new Set<bigint>()
  private sweptIds: readonly bigint[] = []

  constructor(
    private readonly deviceId: bigint,
    private readonly connection: Connection,
    private readonly node: StreamResources,
  ) {}

  get caughtUp(): boolean {
    return !this.dirty || this.isFull
  }

  private get isFull(): boolean {
    return this.onTheWay.size >= this.node.settings.maxUnackedInbox
  }

  /** There may be new rows. */
  touch(): void {
    this.dirty = true
  }

  /** Ids that were never sent on this stream are ignored: their turn comes. @returns how many are acknowledged by this */
  acknowledge(ids: readonly number[]): number {
    const before = this.acknowledged.size
    for (const id of ids) if (this.onTheWay.has(BigInt(id))) this.acknowledged.add(BigInt(id))
    return this.acknowledged.size - before
  }

  /** Durable at once. @returns whether a log may be waiting for one of them */
  async writeAcks(): Promise<boolean> {
    const ids = [...this.acknowledged]
    if (ids.length === 0) return false
    const kinds = await acknowledgeInbox(this.node.pool, this.deviceId, ids)
    for (const id of ids) {
      this.acknowledged.delete(id)
      this.onTheWay.delete(id)
    }
    return kinds.includes('welcome')
  }

  /** One page. @returns whether there may be more, now */
  async sendNew(): Promise<boolean> {
    if (!this.dirty || this.isFull || !this.connection.hasRoom) return false
    this.dirty = false
    try {
      const { pool, gate, settings } = this.node
      const items = await gate.run(() => readInbox(pool, this.deviceId, [...this.onTheWay], ITEMS_PER_READ, settings.page.bytes))
      for (const item of items) {
        this.onTheWay.add(item.id)
        this.connection.send(inboxFrame(item))
      }
      if (items.length > 0) this.dirty = true
    } catch (error) {
      this.dirty = true
      throw error
    }
    return this.dirty
  }

  /**
   * The table's oldest ids, as the sweep read them. @returns whether they are others than at the sweep before: there are new ones, or some
   * were acknowledged elsewhere, by polling or on another node. What was on its way at the sweep before and is gone needs no ack any more;
   * what was sent since is younger than the sweep's look.
   */
  swept(ids: readonly bigint[]): boolean {
    const present = new Set(ids)
    for (const id of this.sweptOnTheWay) if (!present.has(id)) this.onTheWay.delete(id)
    if (ids.some((id) => !this.onTheWay.has(id))) this.dirty = true
    const changed = ids.length !== this.sweptIds.length || ids.some((id, index) => id !== this.sweptIds[index])
    this.sweptOnTheWay = new Set(this.onTheWay)
    this.sweptIds = ids
    return changed
  }
}
