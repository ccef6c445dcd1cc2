import { Inject, Injectable, type BeforeApplicationShutdown, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Accepted } from '../../../groups/groups.dto.js'
import { Hints } from '../../../platform/hints/hints.js'
import { Unavailable } from '../../../platform/http/problem.js'
import { POOL } from '../../../platform/postgres/sql.js'
import { sha256 } from '../../../protocol/sha256.js'
import { type Wait, Waits } from '../../follower/arrival/waits.js'
import { HubBadResponse } from '../../peer-problems.js'
import { HeldBack } from '../../quotas/quotas.problems.js'
import { DraftReplicas, type DraftEntry } from './draft-replicas.js'
import type { DraftRoom } from './draft-room.js'
import { forgetTaken, noteTaken, takenAt } from './draft-taken.repository.js'

/** What came before may still be on its way from the hub. */
const PATIENCE_MS = 5_000
/** Between looks where nothing is heard: hints may be lost. */
const LOOK_MS = 500

type Unplaced = Omit<DraftEntry, 'acceptedAtMs'>

/**
 * Places what a hub of the draft has accepted of users here. What comes before it may still be on its way: then it is waited for, for a bounded time, and
 * that the hub has accepted it is remembered for all nodes, since a hub of the draft need not know the same bytes again.
 */
@Injectable()
export class DraftPlacements implements OnModuleInit, OnModuleDestroy, BeforeApplicationShutdown {
  private readonly waits = new Waits()
  private unsubscribe = (): void => undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly replicas: DraftReplicas,
    private readonly hints: Hints,
  ) {}

  onModuleInit(): void {
    this.unsubscribe = this.waits.listenTo(this.hints)
  }

  onModuleDestroy(): void {
    this.unsubscribe()
  }

  beforeApplicationShutdown(): void {
    this.waits.close()
  }

  /** Where it is, or comes now, if the hub has accepted it before; undefined: it is for the hub. @throws Unavailable */
  async earlier(room: DraftRoom, entry: Unplaced): Promise<Accepted | undefined> {
    const found = await this.replicas.find(room, entry.bytes)
    if (found) return found
    const acceptedAtMs = await takenAt(this.pool, room.roomId, sha256(entry.bytes))
    return acceptedAtMs === undefined ? undefined : this.until(room, { ...entry, acceptedAtMs })
  }

  /** @throws Unavailable if what comes before does not arrive in time, HeldBack if no more of the group is stored now: the same bytes may be sent again, and are placed when it has */
  async of(room: DraftRoom, entry: DraftEntry): Promise<Accepted> {
    try {
      return placedOrRefused(await this.replicas.place(room, entry))
    } catch (error) {
      if (!(error instanceof Unavailable || error instanceof HeldBack)) throw error
      // A hub may name a time that no column holds.
      const acceptedAtMs = Math.min(Number(entry.acceptedAtMs), Date.now())
      await noteTaken(this.pool, room.roomId, sha256(entry.bytes), acceptedAtMs)
      if (error instanceof HeldBack) throw error
      return this.until(room, entry)
    }
  }

  private async until(room: DraftRoom, entry: DraftEntry): Promise<Accepted> {
    const wait = this.waits.begin(room.hub)
    try {
      const placed = wait ? await this.retry(wait, room, entry) : placedOrRefused(await this.replicas.place(room, entry))
      await forgetTaken(this.pool, room.roomId, sha256(entry.bytes))
      return placed
    } finally {
      if (wait) this.waits.end(wait)
    }
  }

  private async retry(wait: Wait, room: DraftRoom, entry: DraftEntry): Promise<Accepted> {
    const end = performance.now() + PATIENCE_MS
    wait.gid = await this.replicas.gidOf(room)
    for (;;) {
      wait.clear()
      try {
        return placedOrRefused(await this.replicas.place(room, entry))
      } catch (error) {
        const left = end - performance.now()
        if (!(error instanceof Unavailable) || left <= 0 || this.waits.isClosed) throw error
        await wait.sleep(Math.min(left, LOOK_MS))
      }
    }
  }
}

/** What a hub accepts has a place, unless it accepts what is of no use. @throws HubBadResponse */
function placedOrRefused(placed: Accepted | undefined): Accepted {
  if (!placed) throw new HubBadResponse()
  return placed
}
