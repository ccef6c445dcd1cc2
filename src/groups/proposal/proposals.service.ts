import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { CommitLock } from '../../platform/redis/commit-lock.js'
import { sha256 } from '../../protocol/sha256.js'
import { openForSubmission } from '../access/access.js'
import type { Accepted, SubmitProposal } from '../groups.dto.js'
import { proposalAccepted } from '../groups.events.js'
import { submitProposal } from '../repository/submissions.repository.js'
import { refusedByPosition, submissionProblem } from '../state/submission-refusals.js'
import { ProposalJudge, type ProposalMessage } from './proposal-judge.js'

/** How often a Proposal is judged again because another one came, or the policy changed, between judgement and writing. */
const ATTEMPTS = 16

/** The path of one Proposal: decoded, recognized, judged with those that wait, written in one round trip. */
@Injectable()
export class ProposalsService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly judge: ProposalJudge,
    private readonly lock: CommitLock,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  async submit(caller: Caller, groupId: Uint8Array, { proposal: bytes, incarnation: madeIn }: SubmitProposal): Promise<Accepted> {
    const message = await this.judge.decode(groupId, bytes)
    const outside = await this.judge.isJoiner(caller, message)
    // A courtesy, as for Commits: each is judged with those before it, so two at once would be judged again. Commits do not wait for it.
    const key = `proposal:${Buffer.from(groupId).toString('base64url')}`
    return this.lock.withLock(key, () => this.attempt({ caller, groupId, message, outside, bytes, hash: sha256(bytes), madeIn }, ATTEMPTS))
  }

  private async attempt(sent: Sent, left: number): Promise<Accepted> {
    const { caller, groupId, message, outside, bytes, hash, madeIn } = sent
    const access = await openForSubmission(this.pool, groupId, caller, { hash, outside })
    const { group, earlier } = access
    if (earlier) return { ...earlier, incarnation: group.incarnation }
    const { mustBeMember } = await this.judge.authorize(this.pool, caller, access, message)
    const { epoch } = message.body
    const refused = refusedByPosition(group, epoch, madeIn)
    if (refused) throw await submissionProblem(this.pool, group, caller.deviceId, epoch, refused)
    const judged = await this.judge.judge({ ...access, caller }, message)
    const notAdded = await this.judge.countAdditions(caller, judged)
    const { gid, incarnation } = group
    const proposal = {
      gid,
      incarnation,
      madeIn: madeIn ?? 0,
      deviceId: caller.deviceId,
      mustBeMember,
      epoch,
      hash,
      bytes,
      pending: this.judge.wishToLeave(caller, access, message),
      judgedBy: judged.judgedBy,
      added: judged.added,
      ...this.judge.room,
    }
    const outcome = await submitProposal(this.pool, proposal)
    if (outcome.kind !== 'accepted') await notAdded()
    if (outcome.kind === 'retry' && left > 1) return this.attempt(sent, left - 1)
    if (!('chain' in outcome)) throw await submissionProblem(this.pool, group, caller.deviceId, epoch, outcome)
    this.hints.publish([{ kind: 'group', gid: group.gid, headSeq: outcome.seq }])
    proposalAccepted(this.events, group.mode)
    return outcome
  }
}

/** A Proposal and who sends it; `outside`: somebody who is no member. `hash` is SHA-256 of `bytes`, `madeIn` the incarnation that the sender names. */
interface Sent {
  caller: Caller
  groupId: Uint8Array
  message: ProposalMessage
  outside: boolean
  bytes: Uint8Array
  hash: Uint8Array
  madeIn: number | undefined
}
