import { Injectable, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { commitAccepted } from '../groups.events.js'
import { submitCommit, type CommitSubmission, type SubmissionOutcome } from '../repository/submissions.repository.js'
import { PublicStates } from '../state/public-states.js'
import { Snapshots } from '../state/snapshots.job.js'
import { refusedByPosition } from '../state/submission-refusals.js'
import { authorizeCommit } from './commit-checks.js'
import type { CommitContext, Judged } from './commit-context.js'
import { PrivateCommitValidator } from './private-commit-validator.js'
import { PublicCommitValidator } from './public-commit-validator.js'

/** What follows an accepted Commit, after COMMIT: nobody's correctness depends on any of it. */
@Injectable()
export class CommitAftermath {
  constructor(
    private readonly states: PublicStates,
    private readonly snapshots: Snapshots,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  accepted({ group, bundle }: CommitContext, judged: Judged, seq: bigint): void {
    const { added, removed, external, followups } = judged
    this.hints.publish([
      // Also to who joins without a Welcome: a stream that is open follows its new membership.
      ...added.map(({ deviceId }) => ({ kind: 'inbox' as const, deviceId })),
      { kind: 'group', gid: group.gid, headSeq: seq + BigInt(followups.length) },
    ])
    if (judged.states) {
      const tracked = this.states.remember(group, judged.states.before, judged.states.next, { seq, bytes: bundle.bytes.length })
      this.snapshots.consider(group, tracked)
    }
    commitAccepted(this.events, { mode: group.mode, external, added: added.length, removed: removed.length })
  }
}

/** One try at a Commit: judged against what was just read, then written if nothing has changed since. */
@Injectable()
export class CommitAttempts {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly publicCommits: PublicCommitValidator,
    private readonly privateCommits: PrivateCommitValidator,
    private readonly aftermath: CommitAftermath,
  ) {}

  async run(context: CommitContext): Promise<SubmissionOutcome> {
    const { group, standing, bundle } = context
    authorizeCommit(group.mode, standing, bundle)
    const refused = refusedByPosition(group, bundle.epoch, bundle.madeIn)
    if (refused) return refused
    await bundle.tree?.() // what does not decode is refused, also where nobody looks at it
    const judged =
      bundle.commit.kind === 'public'
        ? await this.publicCommits.judge(context, bundle.commit.message)
        : await this.privateCommits.judge(context)
    const outcome = await submitCommit(this.pool, { domain: this.config.DOMAIN, ...submissionOf(context, judged) })
    if (outcome.kind === 'accepted') this.aftermath.accepted(context, judged, outcome.seq)
    return outcome
  }
}

function submissionOf({ group, standing, caller, bundle }: CommitContext, judged: Judged): Omit<CommitSubmission, 'domain'> {
  const { states: _states, ...changes } = judged
  return {
    gid: group.gid,
    incarnation: group.incarnation,
    madeIn: bundle.madeIn ?? 0,
    deviceId: caller.deviceId,
    userId: caller.userId,
    policyVersion: standing.policy.version,
    epoch: bundle.epoch,
    usedRefs: bundle.welcomes.flatMap(({ value }) => value.refs),
    hash: bundle.hash,
    bytes: bundle.bytes,
    ...changes,
  }
}
