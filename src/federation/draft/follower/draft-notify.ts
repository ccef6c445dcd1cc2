import { Injectable } from '@nestjs/common'
import { Hints } from '../../../platform/hints/hints.js'
import type { Hint } from '../../../platform/hints/hint.js'
import { Problem } from '../../../platform/http/problem.js'
import { inSavepoint, type Sql } from '../../../platform/postgres/sql.js'
import type { FanoutMessage } from '../../../protocol/mimi/fanout-message.js'
import { NotTheHub } from '../../inbound/inbound.problems.js'
import { ReplicaQuota } from '../../quotas/replica-quota.js'
import { DraftReplicas, readEntry, type DraftEntry } from './draft-replicas.js'
import { draftRoom, type DraftRoom } from './draft-room.js'
import { DraftRooms } from './draft-rooms.js'
import { DraftWelcomes } from './draft-welcomes.js'

/** Stores one message. @throws Problem if it is refused */
type Step = (sql: Sql) => Promise<readonly Hint[]>

/** What came of the messages of a request, in their order. */
interface Taken {
  readonly hints: readonly Hint[]
  /** Why the others were not taken. */
  readonly refusal: Problem | undefined
}

/** What hubs that speak nothing but the draft fan out (draft-ietf-mimi-protocol-06, Fanout Messages and Room Events). */
@Injectable()
export class DraftNotify {
  constructor(
    private readonly rooms: DraftRooms,
    private readonly replicas: DraftReplicas,
    private readonly welcomes: DraftWelcomes,
    private readonly quota: ReplicaQuota,
    private readonly hints: Hints,
  ) {}

  /**
   * Takes them in their order, in one transaction; those before one that is refused are stored. What comes twice changes nothing, and is answered alike.
   * @param roomId of the provider that sends them
   */
  async receive(roomId: string, messages: readonly FanoutMessage[]): Promise<void> {
    const room = draftRoom(roomId)
    if (!room) throw new NotTheHub()
    const steps: Step[] = []
    for (const message of messages) steps.push(...(await this.stepsOf(room, message)))
    const { hints, refusal } = await this.rooms.run(room, (sql) => takeAll(sql, steps))
    this.hints.publish(hints)
    if (refusal) await this.quota.refused(refusal, room.hub)
  }

  /** With a Proposal those that were sent along, with a Commit those that the hub makes for the epoch after it. */
  private async stepsOf(room: DraftRoom, message: FanoutMessage): Promise<Step[]> {
    const { kind, acceptedAtMs, proposals } = message
    if (kind === 'welcome') return [await this.welcome(room, message)]
    const entries: DraftEntry[] = [
      { kind, bytes: message.message, acceptedAtMs },
      ...proposals.map((bytes) => ({ kind: 'proposal' as const, bytes, acceptedAtMs })),
    ]
    return entries.map((entry): Step => async (sql) => {
      const placed = await this.replicas.placeIn(sql, room, readEntry(room, entry))
      return placed ? [{ kind: 'group', gid: placed.gid, headSeq: placed.seq }] : []
    })
  }

  private async welcome(room: DraftRoom, message: FanoutMessage): Promise<Step> {
    try {
      const incoming = await this.welcomes.read(room, message)
      return async (sql) => (await this.welcomes.store(sql, room, incoming)).map((deviceId) => ({ kind: 'inbox', deviceId }))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      // In its turn: what came before it is taken.
      return () => Promise.reject(error)
    }
  }
}

/** One after the other, up to the first that is refused, of which nothing is left. */
async function takeAll(sql: Sql, steps: readonly Step[]): Promise<Taken> {
  const hints: Hint[] = []
  for (const step of steps) {
    try {
      hints.push(...(await inSavepoint(sql, () => step(sql))))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      return { hints, refusal: error }
    }
  }
  return { hints, refusal: undefined }
}
