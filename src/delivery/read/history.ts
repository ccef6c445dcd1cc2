import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { POOL } from '../../platform/postgres/sql.js'
import { KIND_OF_LETTER } from '../../protocol/log-chain.js'
import { GroupDeleted, NoReader, NotDelivered, ResyncNeeded, UnknownGroup } from '../delivery.problems.js'
import { readDevice } from './device-log.repository.js'
import {
  findReadableLog,
  firstSeqOfEpoch,
  userWasThere,
  vanishedEntries,
  type ReadableInterval,
  type ReadableLog,
} from './history.repository.js'
import type { LogPage, LogQuery } from './log.dto.js'
import type { VanishedEntries, VanishedQuery } from './vanished.dto.js'

const DEFAULT_LIMIT = 100
const MOST_VANISHED = 1_000
const PAGE_BYTES = 1024 * 1024

/** A group's log as one device may read it, whatever it has acknowledged: cut to its intervals (§1). */
@Injectable()
export class History {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  async read(caller: Caller, groupId: Uint8Array, query: LogQuery): Promise<LogPage> {
    const { log, first } = await this.readable(caller, groupId)
    const wanted = await this.firstWanted(log, query)
    const from = wanted > first.fromSeq ? wanted : first.fromSeq
    if (from <= log.floorSeq) throw new ResyncNeeded('The log no longer reaches back that far.', log.floorSeq + 1n)
    // Asking for more than the next entry means having read entries that are lost. At a follower they may not have come yet.
    const reading = log.intervals.at(-1)?.untilSeq === null
    if (reading && !log.replica && from > log.headSeq + 1n) throw new ResyncNeeded('The log does not reach that far.', log.headSeq + 1n)
    return this.page(caller, log, from, query.limit ?? DEFAULT_LIMIT)
  }

  /** Entries that went with the last new incarnation of a replica, of the time in which the device was a member. @throws what `read` throws, but for a floor */
  async vanished(caller: Caller, groupId: Uint8Array, query: VanishedQuery): Promise<VanishedEntries> {
    const { log, first } = await this.readable(caller, groupId)
    const { incarnation } = log
    const limit = query.limit ?? MOST_VANISHED
    const from = query.from_seq !== undefined && query.from_seq > first.fromSeq ? query.from_seq : first.fromSeq
    const rows = await vanishedEntries(this.pool, { gid: log.gid, incarnation, fromSeq: from, limit: limit + 1 })
    const wasThere = (seq: bigint) =>
      log.intervals.some(({ fromSeq, untilSeq }) => fromSeq <= seq && (untilSeq === null || seq <= untilSeq))
    const seen = rows.slice(0, limit).filter(({ seq }) => wasThere(seq))
    const entries = seen.map(({ kind, ...row }) => ({ ...row, kind: KIND_OF_LETTER[kind] }))
    const next = rows[limit]
    return { incarnation, entries, ...(next && { next_seq: next.seq }) }
  }

  /** A log that the device may read, and its first interval. */
  private async readable(caller: Caller, groupId: Uint8Array): Promise<{ log: ReadableLog; first: ReadableInterval }> {
    const log = await findReadableLog(this.pool, groupId, caller.deviceId)
    if (!log) throw new UnknownGroup()
    if (log.deleted) throw new GroupDeleted()
    const first = log.intervals[0]
    if (!first) throw (await userWasThere(this.pool, log.gid, caller.userId)) ? new NoReader() : new UnknownGroup()
    if (!first.readable) throw new NotDelivered()
    return { log, first }
  }

  private async firstWanted(log: ReadableLog, query: LogQuery): Promise<bigint> {
    if (query.from_epoch === undefined) return query.from_seq ?? log.floorSeq + 1n
    if (query.from_epoch > log.epoch) return log.headSeq + 1n
    // A group begins at epoch 0. A Commit that is gone stood before the floor.
    return query.from_epoch === 0n ? 1n : ((await firstSeqOfEpoch(this.pool, log.gid, query.from_epoch)) ?? 1n)
  }

  private async page(caller: Caller, log: ReadableLog, from: bigint, limit: number): Promise<LogPage> {
    // Entries behind a Welcome that is not acknowledged cannot be read yet (invariant 4).
    const readable = log.intervals.filter((interval) => !interval.awaitsWelcomeAck)
    const last = readable.at(-1)
    const head_seq = last ? (last.untilSeq ?? log.headSeq) : 0n
    const places = readable
      .filter(({ untilSeq }) => (untilSeq ?? log.headSeq) >= from)
      .map(({ fromSeq }) => ({ gid: log.gid, fromSeq, after: (fromSeq > from ? fromSeq : from) - 1n }))
    const ranges = await readDevice(this.pool, caller.deviceId, places, { entries: limit + 1, bytes: PAGE_BYTES })
    const found = ranges.flatMap((range) => range?.entries ?? [])
    const entries = found.slice(0, limit)
    const complete = entries.length === found.length && ranges.every((range) => range?.complete !== false)
    const end = entries.at(-1)?.seq
    return { entries, head_seq, incarnation: log.incarnation, ...(complete || end === undefined ? {} : { next_seq: end + 1n }) }
  }
}
