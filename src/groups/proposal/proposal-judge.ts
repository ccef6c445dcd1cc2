import { Inject, Injectable } from '@nestjs/common'
import type { Caller } from '../../authentication/session/caller.js'
import { Forbidden, TooLarge, Undecodable } from '../../platform/http/problem.js'
import type { MlsMessage } from '../../protocol/mls/message.js'
import type { PublicMessage } from '../../protocol/mls/structures/public-message.js'
import { MAX_KEY_PACKAGE_BYTES, validateProposal } from '../../protocol/public-group/proposals/proposal.js'
import { memberAt, type Member, type PublicGroupState } from '../../protocol/public-group/state.js'
import type { Access, SubmissionAccess } from '../access/access.js'
import { authorizeExternalJoin } from '../commit/commit-checks.js'
import { InvalidCommit, NotAMember, TooManyProposals } from '../groups.problems.js'
import { MEMBERSHIP, type Membership } from '../roster/membership.js'
import { memberOf } from '../roster/roster.js'
import { PublicStates } from '../state/public-states.js'
import { StoredEpochs } from '../state/stored-epochs.js'

/** Far more than a Commit needs, far less than a snapshot can hold. */
const MAX_PENDING_PROPOSALS = 1_024
const MAX_PENDING_BYTES = 1024 * 1024

export type ProposalMessage = Extract<MlsMessage, { wireFormat: 'public-message' | 'private-message' }>

@Injectable()
export class ProposalJudge {
  constructor(
    @Inject(MEMBERSHIP) private readonly membership: Membership,
    private readonly states: PublicStates,
    private readonly stored: StoredEpochs,
  ) {}

  /** Who may propose what, as far as the framing shows. @returns whether SQL has to find a member */
  authorize({ group, standing }: Access, message: ProposalMessage): { mustBeMember: boolean } {
    const kind = senderKind(message)
    if (kind === 'external') throw new Forbidden('The proposals of an external sender are made by the server itself.')
    if (kind === 'new-member-proposal') {
      authorizeExternalJoin(standing, undefined)
      return { mustBeMember: false }
    }
    if (!standing.member) throw new NotAMember()
    const hidden = message.wireFormat === 'private-message'
    // A SelfRemove is public in both modes: anyone who joins from outside must be able to commit it.
    if (hidden !== (group.mode === 'private') && !isSelfRemove(message)) throw new InvalidCommit('wire-format-of-mode')
    return { mustBeMember: true }
  }

  /** A private group without external joins shows nothing to judge by; there the members do. */
  async judge({ group, callersKeys, lastHandshake }: SubmissionAccess, caller: Caller, message: ProposalMessage): Promise<void> {
    if (message.wireFormat === 'private-message') return
    const state = group.mode === 'public' ? (await this.states.at(group, lastHandshake)).state : await this.stored.find(group)
    if (!state) return
    refuseExcess(state, message.body)
    await this.membership.requireOwnLeaf(caller, proposerOf(state, message.body), callersKeys)
    const verdict = await validateProposal(state, message.body, this.membership.lifetimes())
    if (verdict.kind === 'refused') throw new InvalidCommit(verdict.rule)
  }
}

/** What waits for a Commit is in the memory of every node that follows the group, so that one member could fill it for all. */
function refuseExcess({ pending }: PublicGroupState, { bytes, content }: PublicMessage): void {
  const adds = content.kind === 'proposal' && content.proposal.kind === 'add' ? content.proposal.keyPackage.bytes.length : 0
  if (adds > MAX_KEY_PACKAGE_BYTES) throw new TooLarge('The KeyPackage in the proposal is too large.', MAX_KEY_PACKAGE_BYTES)
  if (pending.size >= MAX_PENDING_PROPOSALS) throw new TooManyProposals('Too many proposals wait for a Commit.')
  if (pending.bytes + bytes.length > MAX_PENDING_BYTES)
    throw new TooManyProposals('The proposals that wait for a Commit are too large together.')
}

function senderKind(message: ProposalMessage): PublicMessage['sender']['kind'] {
  if (message.wireFormat === 'public-message') {
    if (message.body.content.kind !== 'proposal') throw new Undecodable('The proposal is a Commit.')
    return message.body.sender.kind
  }
  if (message.body.contentType !== 'proposal') throw new Undecodable(`The proposal has the content type ${message.body.contentType}.`)
  return 'member'
}

function isSelfRemove(message: ProposalMessage): boolean {
  const content = message.wireFormat === 'public-message' ? message.body.content : undefined
  return content?.kind === 'proposal' && content.proposal.kind === 'self-remove'
}

/** Whose leaf signs: the sender's, or the one that wants to be added (RFC 9420 §12.1.8). */
function proposerOf(state: PublicGroupState, { sender, content }: PublicMessage): Member | undefined {
  if (sender.kind === 'member') return memberOf(state, sender.leafIndex)
  return content.kind === 'proposal' && content.proposal.kind === 'add' ? memberAt(-1, content.proposal.keyPackage.leafNode) : undefined
}
