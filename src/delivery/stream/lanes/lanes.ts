import { toBatch, type Batch } from '../../feed/batch.js'
import type { Feed } from '../../feed/feed.js'
import { readDevice, type DeviceRange } from '../../read/device-log.repository.js'
import { readMemberships, type Membership } from '../../read/memberships.repository.js'
import type { Connection } from '../../socket/connection.js'
import { readHeads } from '../../sweep/sweep.repository.js'
import type { Position } from '../../../protocol/frames.js'
import type { StreamResources } from '../stream-resources.js'
import { Lane, type KnownPosition, type LaneHost, type Notice } from './lane.js'

/** Groups of one backfill read: with 64 entries each, about a thousand rows. */
const LANES_PER_READ = 16

/** The stream that the groups are of: `wake` if there is something to do, `lost` if the client has entries past the end of a log. */
interface LanesListener {
  wake(): void
  lost(): void
}

/** All groups of one stream: which are behind, and how much may be on its way without an ack. */
export class Lanes implements LaneHost {
  /** Memberships may have changed. */
  stale = true
  private readonly byGid = new Map<bigint, Lane>()
  private readonly byGroupId = new Map<string, Lane>()
  private readonly feeds = new Map<Lane, Feed>()
  private readonly behind = new Set<Lane>()
  private unacked = 0
  private positions = new Map<string, KnownPosition>()

  constructor(
    readonly deviceId: bigint,
    private readonly connection: Connection,
    private readonly node: StreamResources,
    private readonly stream: LanesListener,
  ) {}

  get caughtUp(): boolean {
    return !this.stale && this.behind.size === 0 && this.unchecked().length === 0
  }

  /** There is something to send, and no room for it before the client acknowledges or reads. */
  get stuck(): boolean {
    return this.behind.size > 0 && (this.window <= 0 || !this.connection.hasRoom)
  }

  private get window(): number {
    return this.node.settings.maxUnacked - this.unacked
  }

  /** Where the client says it stands; counts for the groups that are first seen after this. */
  resume(positions: readonly Position[]): void {
    for (const { group_id, incarnation, seq } of positions) {
      this.positions.set(key(group_id), { incarnation, seq: BigInt(seq) })
    }
  }

  /** Positions that come when entries are on their way already: entries that were sent again are acknowledged by them. */
  resumeLate(positions: readonly Position[]): void {
    this.acknowledge(
      positions.flatMap((position) => {
        const lane = this.byGroupId.get(key(position.group_id))
        return lane ? [{ ...position, seq: Math.min(position.seq, Number(lane.cursor)) }] : []
      }),
    )
  }

  /** Follows what the device's memberships have become. */
  async refresh(): Promise<void> {
    if (!this.stale) return
    const rows = Map.groupBy(await this.memberships(), (row) => row.gid)
    for (const [gid, ofGroup] of rows) if (!this.byGid.has(gid)) this.begin(ofGroup)
    this.positions.clear()
    for (const lane of [...this.byGid.values()]) {
      const before = lane.unacked
      this.sendNotices(lane, lane.update(rows.get(lane.gid) ?? []))
      this.unacked += lane.unacked - before
      this.arrange(lane)
      if (!rows.has(lane.gid) && lane.unacked === 0) this.forget(lane)
    }
  }

  /** Lanes of which nobody knows whether there is news: the heads of all of them in one statement. */
  async check(): Promise<void> {
    const lanes = this.unchecked()
    if (lanes.length === 0) return
    const heads = await this.read(() =>
      readHeads(
        this.node.pool,
        lanes.map((lane) => lane.gid),
      ),
    )
    for (const lane of lanes) {
      const head = heads.get(lane.gid)
      if (head?.incarnation !== lane.incarnation) {
        this.stale = true // deleted, or restored: refresh decides
        if (!head) lane.update([])
      } else {
        if (head.headSeq < lane.cursor) this.rewind(lane, head.headSeq)
        lane.phase = head.headSeq > lane.cursor ? 'behind' : 'level'
      }
      this.arrange(lane)
    }
  }

  /** One page for those who are behind. @returns false if there is nothing to do or no room to do it */
  async readOn(): Promise<boolean> {
    if (this.behind.size === 0 || this.stuck) return false
    const { page } = this.node.settings
    const lanes = [...this.behind].slice(0, LANES_PER_READ)
    // One more than can be sent: whether there is more is known without another read.
    const limits = { entries: Math.min(page.entries, this.window) + 1, bytes: page.bytes }
    const ranges = await this.read(() =>
      readDevice(
        this.node.pool,
        this.deviceId,
        lanes.map((lane) => lane.place),
        limits,
      ),
    )
    for (const [index, lane] of lanes.entries()) if (this.behind.has(lane)) this.take(lane, ranges[index])
    return true
  }

  /** @returns how many entries need no ack any more; undefined for an ack beyond what was delivered */
  acknowledge(acks: readonly Position[]): number | undefined {
    const wasStuck = this.stuck
    const before = this.unacked
    for (const ack of acks) {
      const lane = this.byGroupId.get(key(ack.group_id))
      // An ack of a group or incarnation that no longer exists is late, not wrong.
      if (!lane || lane.incarnation !== ack.incarnation) continue
      const seq = BigInt(ack.seq)
      const done = lane.acknowledge(seq)
      if (done === undefined) return undefined
      this.unacked -= done
      this.node.acks.record({ deviceId: this.deviceId, gid: lane.gid, incarnation: lane.incarnation, seq })
    }
    if (wasStuck) this.stream.wake()
    return before - this.unacked
  }

  dispose(): void {
    for (const lane of [...this.byGid.values()]) this.forget(lane)
  }

  offered(lane: Lane, batch: Batch, last: bigint): void {
    if (batch.entries.length > 0 && (batch.entries.length > this.window || !this.connection.hasRoom)) {
      lane.phase = 'behind'
      this.arrange(lane)
      return this.stream.wake()
    }
    this.send(batch, 'live')
    lane.queued(batch, last)
  }

  recheck(lane: Lane): void {
    this.stale = true
    this.arrange(lane)
    this.stream.wake()
  }

  private async memberships(): Promise<Membership[]> {
    this.stale = false // before the read: what changes while it runs makes them stale again
    try {
      return (await this.read(() => readMemberships(this.node.pool, this.deviceId))).filter(({ pushed }) => pushed)
    } catch (error) {
      this.stale = true
      throw error
    }
  }

  private begin(rows: readonly Membership[]): void {
    const row = rows[0]
    if (!row) return
    const { gid, groupId, incarnation } = row
    const lane = new Lane(gid, groupId, incarnation, this)
    this.byGid.set(gid, lane)
    this.byGroupId.set(key(groupId), lane)
    // Before anything is read: from now on no hint of the group is missed.
    this.feeds.set(lane, this.node.feeds.follow(gid))
    this.sendNotices(lane, lane.begin(rows, this.node.acks.book.seqOf(this.deviceId, gid, incarnation), this.positions.get(key(groupId))))
    if (lane.cursor > row.acked) this.node.acks.record({ deviceId: this.deviceId, gid, incarnation, seq: lane.cursor })
  }

  private rewind(lane: Lane, headSeq: bigint): void {
    this.unacked -= lane.unacked
    this.sendNotices(lane, lane.rewind(headSeq))
    this.unacked += lane.unacked
    this.node.acks.book.forget(this.deviceId, lane.gid)
  }

  private take(lane: Lane, range: DeviceRange | undefined): void {
    if (range && range.incarnation !== lane.incarnation) {
      this.stale = true
      return
    }
    const entries = range?.entries.slice(0, Math.max(0, this.window)) ?? []
    this.send(toBatch(entries), 'backfill')
    this.sendNotices(lane, lane.advance(range, entries.length))
    this.arrange(lane)
  }

  private send(batch: Batch, phase: 'backfill' | 'live'): void {
    if (batch.entries.length === 0) return
    this.connection.sendEncoded(batch.frame)
    this.unacked += batch.entries.length
    this.node.metrics.entriesSent.inc({ phase }, batch.entries.length)
  }

  private sendNotices(lane: Lane, notices: readonly Notice[]): void {
    for (const notice of notices) {
      if (notice.kind === 'resync' && notice.lost) this.stream.lost()
      if (notice.kind === 'resync') this.connection.send({ t: 'resync', group_id: lane.groupId, incarnation: lane.incarnation })
      else this.connection.send({ t: 'removed', group_id: lane.groupId, seq: Number(notice.seq) })
    }
  }

  /** Puts a lane where its phase belongs. */
  private arrange(lane: Lane): void {
    const feed = this.feeds.get(lane)
    this.behind.delete(lane) // and in again at the end: each has its turn
    if (lane.phase === 'level') lane.phase = feed?.join(lane) ? 'live' : 'behind'
    if (lane.phase !== 'live') feed?.leave(lane)
    if (lane.phase === 'behind') this.behind.add(lane)
  }

  private forget(lane: Lane): void {
    this.behind.delete(lane)
    this.feeds.get(lane)?.leave(lane)
    this.feeds.delete(lane)
    this.node.feeds.unfollow(lane.gid)
    this.byGid.delete(lane.gid)
    this.byGroupId.delete(key(lane.groupId))
    this.unacked -= lane.unacked
  }

  private unchecked(): Lane[] {
    return [...this.byGid.values()].filter((lane) => lane.phase === 'unchecked')
  }

  private read<T>(work: () => Promise<T>): Promise<T> {
    return this.node.gate.run(work)
  }
}

function key(groupId: Uint8Array): string {
  return Buffer.from(groupId.buffer, groupId.byteOffset, groupId.byteLength).toString('latin1')
}
