import { Inject, Injectable } from '@nestjs/common'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Forbidden, TooLarge, Undecodable } from '../../platform/http/problem.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { keyPackageRef } from '../../protocol/mls/hashes.js'
import type { MlsMessage } from '../../protocol/mls/message.js'
import type { Proposal } from '../../protocol/mls/structures/proposal.js'
import type { PublicMessage, Sender } from '../../protocol/mls/structures/public-message.js'
import { MAX_KEY_PACKAGE_BYTES, validateProposal } from '../../protocol/public-group/proposals/proposal.js'
import type { SentProposal } from '../../protocol/public-group/proposals/pending-proposals.js'
import { committableWith } from '../../protocol/public-group/proposals/waiting-proposals.js'
import { memberAt, type Member, type PublicGroupState } from '../../protocol/public-group/state.js'
import { notAMember, type Access } from '../access/access.js'
import { authorizeExternalJoin } from '../commit/commit-checks.js'
import type { SubmissionContext } from '../commit/commit-context.js'
import { InvalidCommit, TooManyProposals } from '../groups.problems.js'
import { GroupLocator } from '../home/group-locator.js'
import { decodeAs, refuseOtherGroup } from '../input/mls-input.js'
import { GroupLimits } from '../limits/group-limits.js'
import type { ProposalSubmission, StorageLimits } from '../repository/submissions.repository.js'
import { MEMBERSHIP, type Membership } from '../roster/membership.js'
import type { Device } from '../roster/roster.repository.js'
import { memberOf, refuseSecondLeaf } from '../roster/roster.js'
import { handshakeLimit } from '../usage/storage-full.js'
import { ProposalStates } from './proposal-states.js'

/** Far more than a Commit needs, far less than a snapshot can hold. */
const MAX_PENDING_PROPOSALS = 1_024
const MAX_PENDING_BYTES = 1024 * 1024
const MAX_PENDING_OF_MEMBER = 128
const MAX_PENDING_JOINERS = 32
/** An account has more devices than these, and a provider as many accounts as it likes. */
const MAX_PENDING_JOINERS_OF_USER = 4
const MAX_PENDING_JOINERS_OF_PEER = 16

export type ProposalMessage = Extract<MlsMessage, { wireFormat: 'public-message' | 'private-message' }>

@Injectable()
export class ProposalJudge {
  constructor(
    @Inject(MEMBERSHIP) private readonly membership: Membership,
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'DOMAIN' | 'KEY_PACKAGE_MAX_AGE' | 'MAX_MESSAGE_BYTES' | 'GROUP_MAX_BYTES' | 'ACCOUNT_MAX_BYTES'>,
    private readonly states: ProposalStates,
    private readonly limits: GroupLimits,
    private readonly locator: GroupLocator,
  ) {}

  /**
   * Also refuses a message of another group before the group is looked for: who is no member would learn by the answer which groups there are.
   * @throws Undecodable, TooLarge
   */
  async decode(groupId: Uint8Array, bytes: Uint8Array): Promise<ProposalMessage> {
    const message = decodeAs(bytes, this.config.MAX_MESSAGE_BYTES, 'proposal', 'public-message', 'private-message')
    refuseOtherGroup(await this.locator.mlsIdOf(groupId), message.body, 'proposal')
    return message
  }

  get room(): StorageLimits {
    return { maxGroupBytes: handshakeLimit(this.config.GROUP_MAX_BYTES), maxAccountBytes: this.config.ACCOUNT_MAX_BYTES }
  }

  /** Whether somebody from outside asks to be added, of which one account does not send many. @throws RateLimited */
  async isJoiner(caller: Caller, message: ProposalMessage): Promise<boolean> {
    const outside = message.wireFormat === 'public-message' && message.body.sender.kind === 'new-member-proposal'
    if (outside) await this.limits.take(caller, 'joiners')
    return outside
  }

  /** Who may propose what, as far as the framing shows. @returns whether SQL has to find a member */
  async authorize(sql: Sql, caller: Caller, access: Access, message: ProposalMessage): Promise<{ mustBeMember: boolean }> {
    const { group, standing } = access
    const kind = senderKind(message)
    if (kind === 'new-member-proposal') {
      await authorizeExternalJoin(sql, this.limits, caller, access, undefined)
      return { mustBeMember: false }
    }
    // First, or a stranger could learn by a made-up sender which groups there are.
    if (!standing.member) throw notAMember(standing)
    if (kind === 'external') throw new Forbidden('The proposals of an external sender are made by the server itself.')
    const hidden = message.wireFormat === 'private-message'
    // A SelfRemove is public in both modes: a joiner from outside must be able to commit it.
    if (hidden !== (group.mode === 'private') && !isSelfRemove(message)) throw new InvalidCommit('wire-format-of-mode')
    return { mustBeMember: true }
  }

  /**
   * Whether a Proposal may wait for a Commit: it is valid, alone and with those that wait, and its sender could commit it. A private group
   * without external joins shows nothing to judge by, nor do its members' Proposals: there the members judge.
   * @returns what it was judged by, for the statement that accepts it
   * @throws the problem that the Proposal meets first
   */
  async judge(context: SubmissionContext, message: ProposalMessage): Promise<Judged> {
    if (message.wireFormat === 'private-message') return {}
    const { caller, callersKeys, lastHandshake, standing } = context
    const state = await this.states.of(context, message.body.sender)
    if (!state) return {}
    refuseExcess(state, message.body)
    this.refuseManyJoiners(state, message.body)
    await this.membership.requireOwnLeaf(caller, proposerOf(state, message.body), callersKeys)
    const verdict = await validateProposal(state, message.body, this.membership.lifetimes())
    if (verdict.kind === 'refused') throw new InvalidCommit(verdict.rule)
    const sent = { proposal: verdict.proposal, sender: verdict.sender, byReference: true }
    const added = await this.membership.authorizeProposal(context, state, sent)
    const together = committableWith(state, sent)
    if (together.kind === 'broken') throw new InvalidCommit(together.rule)
    if (added && sent.proposal.kind === 'add') refuseSecondLeaf(together.tree, [sent.proposal.keyPackage.leafNode])
    const judgedBy = { policyVersion: standing.policy.version, lastHandshake }
    const putIn = added && sent.sender.kind === 'member' && added.userId !== caller.userId ? [added.deviceId] : []
    return { judgedBy, added: added && this.keyPackageOf(state, sent, added), putIn }
  }

  /**
   * In a private group a Commit that carries out a SelfRemove shows neither it nor whom it removes: the committer says whom it lets go, and that
   * is for those only who asked. In a public group the server sees both.
   */
  wishToLeave({ deviceId }: Caller, { group }: Access, message: ProposalMessage): ProposalSubmission['pending'] {
    return group.mode === 'private' && isSelfRemove(message) ? { deviceId, leafIndex: null, reason: 'leave' } : null
  }

  /** See `GroupLimits.additions`: who commits the Add of another member only carries it out. */
  countAdditions(caller: Caller, { putIn = [] }: Judged): Promise<() => Promise<void>> {
    return this.limits.additions(caller, putIn)
  }

  /** Others want a place as well. */
  private refuseManyJoiners({ pending }: PublicGroupState, { sender, content }: PublicMessage): void {
    const own = joinerIn(sender, content.kind === 'proposal' ? content.proposal : undefined)
    if (!own) return
    const others = pending.values().flatMap((one) => joinerIn(one.sender, one.proposal) ?? [])
    const ofPeer = own.domain === this.config.DOMAIN ? [] : others.filter(({ domain }) => domain === own.domain)
    const ofUser = others.filter((other) => userUri(other) === userUri(own))
    if (ofUser.length >= MAX_PENDING_JOINERS_OF_USER || ofPeer.length >= MAX_PENDING_JOINERS_OF_PEER)
      throw new TooManyProposals('Too many devices of this user or provider wait to be added.')
  }

  /** An Add spends its KeyPackage when it is accepted: its claimer could otherwise spend it elsewhere, and no Commit could carry the Add. */
  private keyPackageOf({ groupContext }: PublicGroupState, { proposal }: SentProposal, { deviceId }: Device): Judged['added'] {
    const ref = proposal.kind === 'add' ? keyPackageRef(groupContext.cipherSuite, proposal.keyPackage.bytes) : undefined
    const expiresAt = new Date(Date.now() + this.config.KEY_PACKAGE_MAX_AGE)
    return ref && { ref, deviceId, cipherSuite: groupContext.cipherSuite, expiresAt }
  }
}

type Judged = Pick<ProposalSubmission, 'judgedBy' | 'added'> & {
  /** The device of another user that the proposer wants in. */
  putIn?: readonly bigint[]
}

/**
 * What waits for a Commit is in the memory of every node that follows the group. One member cannot fill it for all, nor can strangers, who
 * cost nothing to make.
 */
function refuseExcess({ pending }: PublicGroupState, { bytes, content, sender }: PublicMessage): void {
  const adds = content.kind === 'proposal' && content.proposal.kind === 'add' ? content.proposal.keyPackage.bytes.length : 0
  if (adds > MAX_KEY_PACKAGE_BYTES) throw new TooLarge('The KeyPackage in the proposal is too large.', MAX_KEY_PACKAGE_BYTES)
  if (pending.size >= MAX_PENDING_PROPOSALS) throw new TooManyProposals('Too many proposals wait for a Commit.')
  if (pending.bytes + bytes.length > MAX_PENDING_BYTES)
    throw new TooManyProposals('The proposals that wait for a Commit are too large together.')
  const sameSender = pending.values().filter((one) => senderKey(one.sender) === senderKey(sender)).length
  if (sender.kind === 'member' && sameSender >= MAX_PENDING_OF_MEMBER)
    throw new TooManyProposals('Too many proposals of this member wait for a Commit.')
  if (sender.kind === 'new-member-proposal' && sameSender >= MAX_PENDING_JOINERS)
    throw new TooManyProposals('Too many others wait to be added.')
}

/** The client that asks to be added. */
function joinerIn(sender: Sender, proposal: Proposal | undefined): ReturnType<typeof parseClientUri> {
  if (sender.kind !== 'new-member-proposal' || proposal?.kind !== 'add') return undefined
  return parseClientUri(memberAt(-1, proposal.keyPackage.leafNode).identity ?? '')
}

function senderKey(sender: Sender): string {
  return sender.kind === 'member' ? `member ${sender.leafIndex}` : sender.kind
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
