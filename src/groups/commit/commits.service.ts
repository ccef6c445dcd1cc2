import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { CommitLock } from '../../platform/redis/commit-lock.js'
import { openGroup } from '../access/access.js'
import type { Accepted } from '../groups.dto.js'
import { commitRefused } from '../groups.events.js'
import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import type { Bundle } from '../input/bundle.js'
import { Bundles } from '../input/bundles.js'
import { pendingRemovals } from '../removal/removal.repository.js'
import { findGroup } from '../repository/groups.repository.js'
import { findAcceptance } from '../repository/log.repository.js'
import { submissionProblem } from '../state/submission-problem.js'
import { isExternal } from './authorize.js'
import { CommitAttempts } from './commit-attempts.js'
import type { SubmitCommit } from './commit.dto.js'

/** How often a Commit is judged again because policy or pending removals changed between judgement and writing. */
const ATTEMPTS = 4

/** The path of one Commit (architecture §5): decoded, recognized, judged, written in one round trip, answered. */
@Injectable()
export class CommitsService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly bundles: Bundles,
    private readonly lock: CommitLock,
    private readonly attempts: CommitAttempts,
    private readonly events: Events,
  ) {}

  async submit(caller: Caller, groupId: Uint8Array, body: SubmitCommit): Promise<Accepted> {
    const bundle = this.bundles.decode(caller.user, groupId, body)
    const group = await findGroup(this.pool, groupId)
    if (!group) throw new UnknownGroup()
    if (group.deleted) throw new GroupDeleted()
    const earlier = await findAcceptance(this.pool, group.gid, { deviceId: caller.deviceId, outside: isExternal(bundle) }, bundle.hash)
    if (earlier) return { ...earlier, incarnation: group.incarnation }
    // Anyone who waits here finds the epoch gone by, and the server is spared the validation.
    return this.lock.withLock(`commit:${group.gid}`, () => this.attempt(caller, groupId, bundle, ATTEMPTS))
  }

  private async attempt(caller: Caller, groupId: Uint8Array, bundle: Bundle, left: number): Promise<Accepted> {
    const access = await openGroup(this.pool, groupId, caller)
    const pending = await pendingRemovals(this.pool, access.group.gid)
    const outcome = await this.attempts.run({ ...access, caller, bundle, pending })
    if ('chain' in outcome) return outcome
    if (outcome.kind === 'retry' && left > 1) return this.attempt(caller, groupId, bundle, left - 1)
    commitRefused(this.events, outcome.kind)
    throw await submissionProblem(this.pool, access.group, caller.deviceId, bundle.epoch, outcome)
  }
}
