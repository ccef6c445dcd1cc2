import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { GroupDeleted } from '../../delivery/delivery.problems.js'
import { Hints } from '../../platform/hints/hints.js'
import { NotFound } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { openFor } from '../access/access.js'
import { commitReported, groupReset } from '../groups.events.js'
import { PolicyRefusal } from '../groups.problems.js'
import { judgeReset } from '../authority/rules.js'
import { freezeGroup, type GroupRow } from '../repository/groups.repository.js'
import { CommitAuthors } from './commit-authors.js'
import { addReport, findReadCommit, mostReports, type ReadCommit } from './reports.repository.js'
import type { ReportCommit, ReportCounted } from './reset.dto.js'

/** The way out of a group that a Commit has broken for its members, which no server can see for itself (§6). */
@Injectable()
export class ResetService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly hints: Hints,
    private readonly events: Events,
    private readonly authors: CommitAuthors,
  ) {}

  async report(caller: Caller, groupId: Uint8Array, body: ReportCommit): Promise<ReportCounted> {
    const { group, standing } = await openFor(this.pool, groupId, caller, 'report')
    const commit = await findReadCommit(this.pool, group.gid, caller.deviceId, body.seq)
    if (!commit) throw new NotFound('No Commit for this device has that seq.')
    await this.refuseOwn(caller, group, commit)
    if (commit.joined && body.reason !== 'bad-welcome')
      throw new PolicyRefusal('Of the Commit that it joined by, a device can report the Welcome only.')
    const reports = await addReport(this.pool, group.gid, body.seq, caller.userId, body.reason)
    const needed = standing.policy.reportsToReset
    commitReported(this.events, { reason: body.reason, reports, needed })
    return { reports, needed }
  }

  /** A Commit is broken if others cannot process it: its author is no witness. */
  private async refuseOwn(caller: Caller, group: GroupRow, commit: ReadCommit): Promise<void> {
    const author = await this.authors.of(group, commit)
    const own = author.kind === 'joiner' ? commit.joined : author.kind === 'member' && author.client === caller.client
    if (own) throw new PolicyRefusal('Nobody reports a Commit of their own.')
  }

  /** Freezes the group; its successor is whatever a member creates first with `successor_of`. */
  async reset(caller: Caller, groupId: Uint8Array): Promise<void> {
    const { group, standing } = await openFor(this.pool, groupId, caller, 'reset-by-reports')
    const reports = standing.admin ? 0 : await mostReports(this.pool, group.gid)
    const verdict = judgeReset(standing.policy, standing.admin, reports)
    if (verdict.kind === 'refused') throw new PolicyRefusal(verdict.why)
    const outcome = await freezeGroup(this.pool, group.gid, 'reset', standing.admin ? caller.userId : null)
    // Dismissed since: what members reported may still suffice.
    if (outcome === 'forbidden') return this.reset(caller, groupId)
    if (outcome === 'deleted' || outcome === 'unknown') throw new GroupDeleted()
    // A ReInit or another reset came first: the caller is not who decides what comes next.
    if (outcome === 'frozen') return void (await openFor(this.pool, groupId, caller, 'reset-by-reports'))
    groupReset(this.events, standing.admin)
    this.hints.publish([{ kind: 'group', gid: group.gid, headSeq: group.headSeq }])
  }
}
