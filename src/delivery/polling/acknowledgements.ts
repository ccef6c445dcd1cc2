import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Caller } from '../../authentication/session/caller.js'
import { Hints } from '../../platform/hints/hints.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { writeAcks, type Ack } from '../acks/acks.repository.js'
import { DeliveryMetrics } from '../delivery-metrics.js'
import { AckAhead } from '../delivery.problems.js'
import { acknowledgeInbox } from '../inbox/inbox.repository.js'
import { LostEntries } from '../lost-entries.js'
import { readMemberships, type Membership } from '../read/memberships.repository.js'
import type { AcknowledgeEvents, EventsAcknowledged } from './events.dto.js'

/** Acknowledgements by polling: written before they are answered, as nothing of a poller is kept in memory. */
@Injectable()
export class Acknowledgements {
  private readonly lost: LostEntries

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly hints: Hints,
    metrics: DeliveryMetrics,
    @Inject(LOG) log: Logger,
  ) {
    this.lost = new LostEntries(metrics, log)
  }

  async acknowledge(caller: Caller, body: AcknowledgeEvents): Promise<EventsAcknowledged> {
    const { deviceId } = caller
    const acks = body.acks.length > 0 ? this.checked(deviceId, body, await readMemberships(this.pool, deviceId)) : []
    const moved = acks.length > 0 ? await writeAcks(this.pool, acks, true) : 0
    const gone = body.inbox.length > 0 ? await acknowledgeInbox(this.pool, deviceId, body.inbox) : []
    // A stream of the same device may be holding back a log until one of these is acknowledged.
    if (gone.length > 0) this.hints.publish([{ kind: 'acked', deviceId }])
    return { acks: moved, inbox: gone.length }
  }

  /** Late acks, of groups that are gone or read to their end, or of an earlier incarnation, are not wrong; they do nothing. */
  private checked(deviceId: bigint, { acks }: AcknowledgeEvents, memberships: readonly Membership[]): Ack[] {
    const byGroup = Map.groupBy(memberships, ({ groupId }) => groupId.toString('hex'))
    return acks.flatMap(({ group_id, incarnation, seq }) => {
      const intervals = byGroup.get(Buffer.from(group_id).toString('hex')) ?? []
      const gid = intervals[0]?.gid
      if (gid === undefined || intervals[0]?.incarnation !== incarnation) return []
      const deliverable = deliverableOf(intervals)
      if (seq > deliverable) {
        if (isPastTheLog(intervals, seq)) this.lost.note()
        throw new AckAhead(group_id, deliverable)
      }
      return [{ deviceId, gid, incarnation, seq }]
    })
  }
}

/** The last entry that a poll could have returned: nothing behind a Welcome that waits. */
function deliverableOf(intervals: readonly Membership[]): bigint {
  let deliverable = intervals[0]?.acked ?? 0n
  for (const { awaitsWelcomeAck, untilSeq, headSeq } of intervals) {
    if (awaitsWelcomeAck) break
    deliverable = untilSeq ?? headSeq
  }
  return deliverable
}

/** A replica may lag behind what its hub has answered; the log of a group at home is all that there is. */
function isPastTheLog(intervals: readonly Membership[], seq: bigint): boolean {
  const last = intervals.at(-1)
  return last !== undefined && last.untilSeq === null && !last.replica && seq > last.headSeq
}
