import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { submitCommit, type CommitSubmission, type SubmissionOutcome } from '../repository/submissions.repository.js'
import { refusedByPosition } from '../state/epoch-check.js'
import { authorizeCommit } from './authorize.js'
import { CommitAftermath } from './commit-aftermath.js'
import type { CommitContext, Judged } from './commit-context.js'
import { PrivateCommitValidator } from './private-commit.validator.js'
import { PublicCommitValidator } from './public-commit.validator.js'

/** One try at a Commit: judged against what was just read, then written if nothing has changed meanwhile. */
@Injectable()
export class CommitAttempts {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly open: PublicCommitValidator,
    private readonly hidden: PrivateCommitValidator,
    private readonly aftermath: CommitAftermath,
  ) {}

  async run(context: CommitContext): Promise<SubmissionOutcome> {
    const { group, standing, bundle } = context
    authorizeCommit(group.mode, standing, bundle)
    const refused = refusedByPosition(group, bundle.epoch)
    if (refused) return refused
    await bundle.tree?.() // what does not decode is refused, also where nobody looks at it
    const judged =
      bundle.commit.kind === 'public' ? await this.open.judge(context, bundle.commit.message) : await this.hidden.judge(context)
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
