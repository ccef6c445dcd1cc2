import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { decodeMessage } from '../../protocol/mls/message.js'
import type { PublicMessage } from '../../protocol/mls/structures/public-message.js'
import { applyCommit } from '../../protocol/public-group/apply-commit.js'
import { addProposal, type PublicGroupState } from '../../protocol/public-group/state.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { readHandshakes, type HandshakeRow } from '../repository/log.repository.js'
import { findSnapshot } from '../repository/states.repository.js'
import { StateCache, type Tracked } from './state-cache.js'
import { LargeTrees } from './trees/large-trees.js'

export type GroupAt = Pick<GroupRow, 'gid' | 'incarnation' | 'epoch' | 'floorSeq'>

/** The epoch lies before the oldest snapshot that is kept, so nothing can be rebuilt to it. */
export class StateNotKept extends Error {}

const PAGE = 64

/**
 * The public state of public-mode groups: from memory, brought up to date from the log; else from the last snapshot
 * and the handshakes since (§6). The log is the truth; what is cached may be late, so late that retention has taken what would
 * bring it up to date, and is then of no use.
 */
@Injectable()
export class PublicStates {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly cache: StateCache,
    private readonly trees: LargeTrees,
  ) {}

  /**
   * The state at the group's epoch, with the proposals made in it so far.
   * @param lastHandshake of its log, if it was read together with the group: a cached state that has it needs no look at the log
   */
  async at(group: GroupAt, lastHandshake?: bigint): Promise<Tracked> {
    const cached = this.cache.tracked(cacheKey(group))
    if (cached && cached.seq === lastHandshake && cached.state.groupContext.epoch === group.epoch) return cached
    const inTime = cached && cached.state.groupContext.epoch <= group.epoch
    const tracked =
      inTime && cached.seq >= group.floorSeq ? await this.onFrom(group, cached) : await this.replay(group, await this.load(group))
    if (!cached || inTime) this.keep(group, tracked)
    return tracked
  }

  /** After a Commit of this node: the state it made. */
  remember(
    group: Pick<GroupRow, 'gid' | 'incarnation'>,
    before: Tracked,
    next: PublicGroupState,
    commit: { seq: bigint; bytes: number },
  ): Tracked {
    const tracked = { ...before, state: next, seq: commit.seq, commitSeq: commit.seq, replayBytes: before.replayBytes + commit.bytes }
    this.keep(group, tracked)
    return tracked
  }

  /** Somebody sees to a snapshot: the next one is due after as many bytes again. */
  snapshotAsked(group: Pick<GroupRow, 'gid' | 'incarnation'>, tracked: Tracked): void {
    this.keep(group, { ...tracked, replayBytes: 0 })
  }

  /** What `at` can begin with later. */
  snapshotOf({ state }: Tracked): Promise<Uint8Array> {
    return this.trees.serialize(state)
  }

  private keep(group: Pick<GroupRow, 'gid' | 'incarnation'>, tracked: Tracked): void {
    this.cache.keep(cacheKey(group), tracked)
  }

  /** Retention may come in between: then from the snapshot, which it spares. */
  private async onFrom(group: GroupAt, cached: Tracked): Promise<Tracked> {
    try {
      return await this.replay(group, cached)
    } catch {
      return this.replay(group, await this.load(group))
    }
  }

  private async load(group: GroupAt): Promise<Tracked> {
    const snapshot = await findSnapshot(this.pool, group.gid, group.epoch)
    if (!snapshot) throw new StateNotKept('A public group has no snapshot before this epoch')
    const decoded = await this.trees.deserialize(snapshot.bytes)
    if (decoded.kind !== 'decoded') throw new Error('A public group has no snapshot that this release can read')
    const { seq, bytes } = snapshot
    return { state: decoded.value, seq, commitSeq: seq, replayBytes: 0, snapshotBytes: bytes.length }
  }

  private async replay(group: GroupAt, from: Tracked): Promise<Tracked> {
    let tracked = from
    for (;;) {
      const rows = await readHandshakes(this.pool, group.gid, tracked.seq, group.epoch, PAGE)
      for (const row of rows) tracked = step(tracked, row)
      if (rows.length < PAGE) break
    }
    if (tracked.state.groupContext.epoch !== group.epoch) throw new Error('The log of a public group does not lead to its epoch')
    return tracked
  }
}

function step(tracked: Tracked, row: HandshakeRow): Tracked {
  const message = publicMessageOf(row)
  if (row.kind === 'p') return { ...tracked, state: addProposal(tracked.state, message), seq: row.seq }
  const again = applyCommit(tracked.state, message)
  if (again.kind === 'refused') throw new Error(`An accepted Commit does not replay: ${again.rule}`)
  return { ...tracked, state: again.next, seq: row.seq, commitSeq: row.seq, replayBytes: tracked.replayBytes + row.bytes.length }
}

/** @throws Error for what an honest server has never stored */
export function publicMessageOf(row: Pick<HandshakeRow, 'bytes'>): PublicMessage {
  const decoded = decodeMessage(row.bytes)
  if (decoded.kind === 'malformed' || decoded.value.wireFormat !== 'public-message')
    throw new Error('A handshake of a public group is not a PublicMessage')
  return decoded.value.body
}

function cacheKey(group: Pick<GroupRow, 'gid' | 'incarnation'>): string {
  return `${group.gid}:${group.incarnation}`
}
