import { Injectable, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { commitAccepted } from '../groups.events.js'
import { GroupLimits } from '../limits/group-limits.js'
import { submitCommit, type CommitSubmission, type StorageLimits, type SubmissionOutcome } from '../repository/submissions.repository.js'
import { PublicStates } from '../state/public-states.js'
import { Snapshots } from '../state/snapshots.job.js'
import { refusedByPosition } from '../state/submission-refusals.js'
import { handshakeLimit } from '../usage/storage-full.js'
import { authorizeExternalJoin, refuseUnknown, authorizeMembersCommit, isExternal } from './commit-checks.js'
import type { Bundle } from '../input/bundle.js'
import type { CommitContext, Judged } from './commit-context.js'
import type { Vouchers } from '../roster/vouchers.js'
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

@Injectable()
export class CommitValidators {
  constructor(
    private readonly publicCommits: PublicCommitValidator,
    private readonly privateCommits: PrivateCommitValidator,
  ) {}

  /** By whether the server can read the Commit. @throws the problem that it meets first */
  judge(context: CommitContext): Promise<Judged> {
    const { commit } = context.bundle
    return commit.kind === 'public' ? this.publicCommits.judge(context, commit.message) : this.privateCommits.judge(context)
  }
}

/** One try at a Commit: judged against what was just read, then written if nothing has changed since. */
@Injectable()
export class CommitAttempts {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'GROUP_MAX_BYTES' | 'ACCOUNT_MAX_BYTES' | 'SUCCESSOR_GRACE'>,
    private readonly validators: CommitValidators,
    private readonly aftermath: CommitAftermath,
    private readonly limits: GroupLimits,
  ) {}

  /** What follows where no group was found. @throws `error`, or RateLimited */
  refuseUnknown(caller: Caller, { joinCode }: Bundle, error: unknown): Promise<never> {
    return refuseUnknown(this.limits, caller, joinCode, error)
  }

  async run(read: Omit<CommitContext, 'vouchers'>): Promise<SubmissionOutcome> {
    const { group, standing, caller, bundle } = read
    const context = { ...read, vouchers: await this.authorize(read) }
    const refused = refusedByPosition(group, bundle.epoch, bundle.madeIn)
    if (refused) return refused
    await bundle.tree?.() // what does not decode is refused, also where nobody looks at it
    const judged = await this.validators.judge(context)
    // Only now, or strangers would use up with nonsense what the members need.
    const notAccepted = await this.limits.commit(caller, { gid: group.gid, admin: standing.admin }, judged.putIn)
    const settings = { domain: this.config.DOMAIN, grace: this.config.SUCCESSOR_GRACE / 1_000 }
    const outcome = await submitCommit(this.pool, { ...settings, ...submissionOf(context, judged), ...this.room(judged) })
    if (outcome.kind === 'accepted') this.aftermath.accepted(context, judged, outcome.seq)
    else await notAccepted()
    return outcome
  }

  private async authorize({ group, standing, caller, bundle }: CommitContext): Promise<Vouchers | undefined> {
    if (isExternal(bundle)) return authorizeExternalJoin(this.pool, this.limits, caller, { group, standing }, bundle.joinCode)
    authorizeMembersCommit(group.mode, standing, bundle)
    return undefined
  }

  /** Whose account is full can still remove members, who may have filled it. */
  private room({ removed }: Judged): StorageLimits {
    const maxGroupBytes = handshakeLimit(this.config.GROUP_MAX_BYTES)
    return removed.length > 0 ? { maxGroupBytes } : { maxGroupBytes, maxAccountBytes: this.config.ACCOUNT_MAX_BYTES }
  }
}

function submissionOf(
  { group, standing, caller, bundle, vouchers }: CommitContext,
  judged: Judged,
): Omit<CommitSubmission, 'domain' | 'grace' | keyof StorageLimits> {
  const { states: _states, putIn: _putIn, ...changes } = judged
  return {
    gid: group.gid,
    incarnation: group.incarnation,
    madeIn: bundle.madeIn ?? 0,
    deviceId: caller.deviceId,
    userId: caller.userId,
    policyVersion: standing.policy.version,
    vouchers: vouchers?.clients,
    epoch: bundle.epoch,
    usedRefs: bundle.welcomes.flatMap(({ value }) => value.refs),
    hash: bundle.hash,
    bytes: bundle.bytes,
    ...changes,
  }
}
