import { brokenUnless, type BrokenRule } from '../mls/broken-rule.js'
import { proposalRef } from '../mls/references.js'
import type { Proposal } from '../mls/structures/proposal.js'
import type { PublicMessage, Sender } from '../mls/structures/public-message.js'
import { framing } from './framing.js'
import { refused, type PublicGroupState, type Refused } from './state.js'

/** Far more than a group has members who leave at once; each one costs memory until the next Commit. */
const MAX_PENDING = 4096

export const MAX_KEY_PACKAGE_BYTES = 16 * 1024

/** Where SelfRemove is defined. */
export const MLS_EXTENSIONS = 'draft-ietf-mls-extensions'

/** A proposal and who made it: for one by value, the committer. */
export interface SentProposal {
  readonly proposal: Proposal
  readonly sender: Sender
  readonly byReference: boolean
}

export type ProposalVerdict =
  { readonly kind: 'valid'; readonly ref: Uint8Array; readonly proposal: Proposal; readonly sender: Sender } | Refused

/** Whether a Proposal message may wait in this epoch for a Commit (RFC 9420 §12.1). */
export async function validateProposal(state: PublicGroupState, message: PublicMessage): Promise<ProposalVerdict> {
  const { content, sender } = message
  const ref = proposalRef(state.groupContext.cipherSuite, message.authenticatedContent)
  if (content.kind !== 'proposal' || ref === undefined) return refused({ rule: 'content-type', section: '6' })
  const { proposal } = content
  const broken =
    tooManyPending(state) ?? (await framing(state, message)) ?? loneProposal(proposal) ?? proposalTarget(state, { proposal, sender })
  return broken === undefined ? { kind: 'valid', ref, proposal, sender } : refused(broken)
}

/** The server's own rule: a member cannot fill the memory of everybody who keeps this group's proposals (RFC 9420 §12.4). */
function tooManyPending({ pending }: PublicGroupState): BrokenRule | undefined {
  return brokenUnless(pending.size < MAX_PENDING, 'pending-proposals', '12.4')
}

/** RFC 9420 §12.1.6: an ExternalInit makes sense in the external Commit only that it opens. */
function loneProposal(proposal: Proposal): BrokenRule | undefined {
  return brokenUnless(proposal.kind !== 'external-init', 'external-init-by-value', '12.1.6')
}

/** The rules for what a single proposal points at. */
export function proposalTarget(
  state: PublicGroupState,
  { proposal, sender }: Pick<SentProposal, 'proposal' | 'sender'>,
): BrokenRule | undefined {
  switch (proposal.kind) {
    case 'add':
      return addSize(proposal) ?? addSuite(state, proposal)
    case 'remove':
      return brokenUnless(state.tree.leaf(proposal.removed) !== undefined, 'remove-member', '12.1.3')
    case 'update':
      return brokenUnless(sender.kind === 'member', 'update-sender', '12.1.2')
    case 'self-remove':
      return brokenUnless(sender.kind === 'member', 'self-remove-sender', MLS_EXTENSIONS)
    default:
      return undefined
  }
}

/** The server's own rule: a KeyPackage that was not published here may be no larger than one that was. */
function addSize({ keyPackage }: Extract<Proposal, { kind: 'add' }>): BrokenRule | undefined {
  return brokenUnless(keyPackage.bytes.length <= MAX_KEY_PACKAGE_BYTES, 'key-package-size', '10')
}

/** RFC 9420 §10.1: the KeyPackage is for the group's suite and version. */
function addSuite({ groupContext }: PublicGroupState, { keyPackage }: Extract<Proposal, { kind: 'add' }>): BrokenRule | undefined {
  const fits = keyPackage.cipherSuite === groupContext.cipherSuite && keyPackage.version === groupContext.version
  return brokenUnless(fits, 'add-cipher-suite', '10.1')
}
