import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { sha256 } from '../../protocol/sha256.js'
import { openForSubmission } from '../access/access.js'
import type { Accepted } from '../groups.dto.js'
import { proposalAccepted } from '../groups.events.js'
import { decodeAs, refuseOtherGroup } from '../input/mls-input.js'
import { submitProposal } from '../repository/submissions.repository.js'
import { refusedByPosition, submissionProblem } from '../state/submission-refusals.js'
import { ProposalJudge } from './proposal.judge.js'

/** Proposals wait in the log for a Commit of their epoch; they need no courtesy lock, for they exclude nothing. */
@Injectable()
export class ProposalsService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'MAX_MESSAGE_BYTES'>,
    private readonly judge: ProposalJudge,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  async submit(caller: Caller, groupId: Uint8Array, bytes: Uint8Array): Promise<Accepted> {
    const message = decodeAs(bytes, this.config.MAX_MESSAGE_BYTES, 'proposal', 'public-message', 'private-message')
    refuseOtherGroup(groupId, message.body, 'proposal')
    const hash = sha256(bytes)
    const outside = message.wireFormat === 'public-message' && message.body.sender.kind === 'new-member-proposal'
    const access = await openForSubmission(this.pool, groupId, caller, { hash, outside })
    const { group, earlier } = access
    if (earlier) return { ...earlier, incarnation: group.incarnation }
    const { mustBeMember } = this.judge.authorize(access, message)
    const { epoch } = message.body
    const refused = refusedByPosition(group, epoch)
    if (refused) throw await submissionProblem(this.pool, group, caller.deviceId, epoch, refused)
    await this.judge.judge(access, caller, message)
    const outcome = await submitProposal(this.pool, {
      gid: group.gid,
      incarnation: group.incarnation,
      deviceId: caller.deviceId,
      mustBeMember,
      epoch,
      hash,
      bytes,
      pending: null,
    })
    if (!('chain' in outcome)) throw await submissionProblem(this.pool, group, caller.deviceId, epoch, outcome)
    this.hints.publish([{ kind: 'group', gid: group.gid, headSeq: outcome.seq }])
    proposalAccepted(this.events, group.mode)
    return outcome
  }
}
