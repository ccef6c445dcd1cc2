import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { CommitLock } from '../../platform/redis/commit-lock.js'
import { openForSubmission } from '../access/access.js'
import type { Accepted, SubmitCommit } from '../groups.dto.js'
import { commitRefused } from '../groups.events.js'
import { type Bundle, Bundles } from '../input/bundle.js'
import { submissionProblem } from '../state/submission-refusals.js'
import { CommitAttempts } from './commit-attempts.js'
import { isExternal } from './commit-checks.js'

/** How often a Commit is judged again because policy or pending removals changed between judgement and writing. */
const ATTEMPTS = 4

/** The path of one Commit (architecture §5): decoded, recognised, judged, written in one round trip, answered. */
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
    const bundle = await this.bundles.decode(caller.user, groupId, body)
    // A contender that waits here finds the epoch gone by, and the server is spared the validation.
    return this.lock.withLock(`commit:${Buffer.from(groupId).toString('base64url')}`, () => this.attempt(caller, groupId, bundle, ATTEMPTS))
  }

  private async attempt(caller: Caller, groupId: Uint8Array, bundle: Bundle, left: number): Promise<Accepted> {
    const message = { hash: bundle.hash, outside: isExternal(bundle) }
    const access = await openForSubmission(this.pool, groupId, caller, message).catch((error: unknown) =>
      this.attempts.refuseUnknown(caller, bundle, error),
    )
    const { group, earlier } = access
    if (earlier) return { ...earlier, incarnation: group.incarnation }
    const outcome = await this.attempts.run({ ...access, caller, bundle })
    if ('chain' in outcome) return outcome
    if (outcome.kind === 'retry' && left > 1) return this.attempt(caller, groupId, bundle, left - 1)
    commitRefused(this.events, outcome.kind)
    throw await submissionProblem(this.pool, group, caller.deviceId, bundle.epoch, outcome)
  }
}
