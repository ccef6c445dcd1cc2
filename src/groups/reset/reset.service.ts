import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { GroupDeleted } from '../../delivery/delivery.problems.js'
import { Hints } from '../../platform/hints/hints.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Forbidden, NotFound } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { openFor, openGroup, requireRight } from '../access/access.js'
import { commitReported, groupReset, resetUndone } from '../groups.events.js'
import { PolicyRefusal, ResetFinal } from '../groups.problems.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { CommitAuthors } from './commit-authors.js'
import { addReport, findReadCommit, type ReadCommit } from './reports.repository.js'
import { freezeGroup, hintsOfFrozen, undoReset } from './resets.repository.js'
import type { ReportCommit, ReportCounted } from './reset.dto.js'

/** The way out of a group that a Commit has broken for its members, which no server can see for itself (§6). */
@Injectable()
export class ResetService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'SUCCESSOR_GRACE'>,
    private readonly hints: Hints,
    private readonly events: Events,
    private readonly authors: CommitAuthors,
  ) {}

  async report(caller: Caller, groupId: Uint8Array, body: ReportCommit): Promise<ReportCounted> {
    const { group } = await openFor(this.pool, groupId, caller, 'report')
    const commit = await findReadCommit(this.pool, group.gid, caller.deviceId, body.seq)
    if (!commit) throw new NotFound('No Commit for this device has that seq.')
    await this.refuseOwn(caller, group, commit)
    if (commit.joined && body.reason !== 'bad-welcome')
      throw new PolicyRefusal('Of the Commit that it joined by, a device can report the Welcome only.')
    const counted = await addReport(this.pool, group.gid, body.seq, caller.userId, body.reason)
    commitReported(this.events, { reason: body.reason, ...counted })
    return counted
  }

  /** A Commit is broken if others cannot process it: its author is no witness. */
  private async refuseOwn(caller: Caller, group: GroupRow, commit: ReadCommit): Promise<void> {
    const author = await this.authors.of(group, commit)
    const own = author.kind === 'joiner' ? commit.joined : author.kind === 'member' && author.client === caller.client
    if (own) throw new PolicyRefusal('Nobody reports a Commit of their own.')
  }

  /** Freezes the group. Its successor is for an admin and the caller to create, and after a while for every member. */
  async reset(caller: Caller, groupId: Uint8Array): Promise<void> {
    const access = await openGroup(this.pool, groupId, caller)
    const { admin } = access.standing
    const action = admin ? 'reset' : 'reset-by-reports'
    requireRight(access, action)
    const { group } = access
    const by = admin ? { adminId: caller.userId } : { reporterId: caller.userId }
    const outcome = await freezeGroup(this.pool, group.gid, by, this.config.SUCCESSOR_GRACE / 1_000)
    // Dismissed since: what members reported may still suffice.
    if (outcome === 'forbidden') return this.reset(caller, groupId)
    if (outcome === 'few-reports') throw new PolicyRefusal(FEW_REPORTS)
    if (outcome === 'deleted' || outcome === 'unknown') throw new GroupDeleted()
    // A ReInit or another reset came first: the caller is not who decides what comes next.
    if (outcome === 'frozen') return void (await openFor(this.pool, groupId, caller, action))
    groupReset(this.events, admin)
    this.hints.publish(await hintsOfFrozen(this.pool, group.gid))
  }

  /** The group goes on; a successor that came meanwhile stops in its turn. */
  async undo(caller: Caller, groupId: Uint8Array): Promise<void> {
    const { group } = await openFor(this.pool, groupId, caller, 'undo-reset')
    const undoing = await undoReset(this.pool, group.gid, caller.userId)
    if (undoing.kind === 'deleted' || undoing.kind === 'unknown') throw new GroupDeleted()
    if (undoing.kind === 'forbidden') throw new Forbidden('Only admins of the group may do this.')
    if (undoing.kind === 'final') throw new ResetFinal()
    resetUndone(this.events, undoing.successor !== null)
    for (const gid of [group.gid, undoing.successor]) if (gid !== null) this.hints.publish(await hintsOfFrozen(this.pool, gid))
  }
}

const FEW_REPORTS =
  'A reset needs an admin, or reports of one Commit by more than half of the users who were members when it was accepted, the caller among them, and by as many as the policy says.'
