import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { Jobs } from '../../platform/jobs/jobs.js'
import { Events } from '../../platform/observability/events.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { snapshotTaken } from '../groups.events.js'
import { findGroupByGid, type GroupRow } from '../repository/groups.repository.js'
import { readReplayCost, storeSnapshot } from '../repository/states.repository.js'
import { PublicStates } from './public-states.js'
import type { Tracked } from './state-cache.js'

const JOB = 'groups.snapshot_v1'
/** Below this a replay costs less than the job. */
const MIN_BYTES = 32 * 1024

/** Whether the Commits since the last snapshot outweigh it: then rewriting it doubles what is written, at most. */
export function wantsSnapshot(tracked: Pick<Tracked, 'replayBytes' | 'snapshotBytes'>): boolean {
  return tracked.replayBytes > Math.max(tracked.snapshotBytes, MIN_BYTES)
}

/** Snapshots of public group states: asked for after Commits, taken by a job, never on the path of a request. */
@Injectable()
export class Snapshots implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly jobs: Jobs,
    private readonly states: PublicStates,
    private readonly events: Events,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onModuleInit(): void {
    // `due`: retention waits for a snapshot, however small the log since the last one.
    this.jobs.process<{ gid: string; due?: boolean }>(JOB, ({ gid, due }) => this.take(BigInt(gid), due === true))
  }

  /** Does not wait: without the job a replay takes longer, and retention waits. */
  consider(group: Pick<GroupRow, 'gid' | 'incarnation'>, tracked: Tracked): void {
    if (!wantsSnapshot(tracked)) return
    const { gid } = group
    this.states.snapshotAsked(group, tracked)
    this.jobs
      .enqueue(JOB, { gid: gid.toString() }, { dedupeId: `snapshot:${gid}` })
      .catch((error: unknown) => this.log.warn({ err: error }, 'a snapshot could not be asked for'))
  }

  /** Harmless if it runs twice or late: what is in the database says whether a snapshot is due. */
  async take(gid: bigint, due = false): Promise<void> {
    const group = await findGroupByGid(this.pool, gid)
    // What a ReInit announced is read again from the epoch that it ended, and nothing comes after it.
    if (!group || group.deleted || group.frozen || group.mode !== 'public') return
    if (!due && !wantsSnapshot(await readReplayCost(this.pool, gid))) return
    const tracked = await this.states.at(group)
    const bytes = await this.states.snapshotOf(tracked)
    await storeSnapshot(this.pool, gid, group.incarnation, { epoch: group.epoch, seq: tracked.commitSeq, bytes })
    snapshotTaken(this.events, bytes.length)
  }
}
