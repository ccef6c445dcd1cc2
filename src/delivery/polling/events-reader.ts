import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { AckFlusher } from '../acks/ack-flusher.js'
import { readInbox } from '../inbox/inbox.repository.js'
import { readDevice, type Place } from '../read/device-log.repository.js'
import { readMemberships, type Membership } from '../read/memberships.repository.js'
import { readHeads } from '../sweep/sweep.repository.js'
import type { Events } from './events.dto.js'

const INBOX_LIMIT = 64
const PAGE_BYTES = 1024 * 1024
/** Groups of one page. */
const MAX_PLACES = 16

/** What a device has not acknowledged, read again for every poll. */
@Injectable()
export class EventsReader {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly acks: AckFlusher,
  ) {}

  /** @param watching called between memberships and log, so that no hint falls between what was read and what is watched */
  async read(
    deviceId: bigint,
    limit: number,
    watching: (gids: readonly bigint[]) => void,
  ): Promise<{ events: Events; heads: Map<bigint, bigint> }> {
    // Memberships first, then the inbox: a Welcome that comes in between is here before its log (§1).
    const memberships = (await readMemberships(this.pool, deviceId)).filter(({ pushed }) => pushed)
    const gids = [...new Set(memberships.map(({ gid }) => gid))]
    watching(gids)
    const inbox = await readInbox(this.pool, deviceId, [], INBOX_LIMIT, PAGE_BYTES)
    const current = await readHeads(this.pool, gids)
    const heads = new Map([...current].map(([gid, { headSeq }]) => [gid, headSeq]))
    const places = this.unread(deviceId, memberships, heads)
    const page = places.slice(0, MAX_PLACES)
    const ranges = page.length > 0 ? await readDevice(this.pool, deviceId, page, { entries: limit + 1, bytes: PAGE_BYTES }) : []
    const found = ranges.flatMap((range) => range?.entries ?? [])
    const incomplete = ranges.some((range) => range && !range.retired && !range.complete)
    const more = inbox.length === INBOX_LIMIT || found.length > limit || incomplete || places.length > page.length
    return { events: { inbox, entries: found.slice(0, limit), more }, heads }
  }

  private unread(deviceId: bigint, memberships: readonly Membership[], heads: ReadonlyMap<bigint, bigint>): Place[] {
    const places: Place[] = []
    const waiting = new Set<bigint>()
    for (const { gid, fromSeq, untilSeq, acked, incarnation, awaitsWelcomeAck, resync } of memberships) {
      // What waits for a Welcome waits with everything after it; what has to rejoin finds `resync` in its inbox.
      if (awaitsWelcomeAck) waiting.add(gid)
      if (waiting.has(gid) || resync) continue
      const after = [acked, this.acks.book.seqOf(deviceId, gid, incarnation) ?? 0n, fromSeq - 1n].reduce((a, b) => (a > b ? a : b))
      if ((untilSeq ?? heads.get(gid) ?? 0n) > after) places.push({ gid, fromSeq, after })
    }
    return places
  }
}
