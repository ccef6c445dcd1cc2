import type { Proposal } from '../mls/structures/proposal.js'
import type { Sender } from '../mls/structures/public-message.js'

/** A proposal and who made it: for one by value, the committer. */
export interface SentProposal {
  readonly proposal: Proposal
  readonly sender: Sender
  readonly byReference: boolean
}

/** The leaf that a proposal changes or blanks, if it does. */
export function changedLeaf({ proposal, sender }: Pick<SentProposal, 'proposal' | 'sender'>): number | undefined {
  if (proposal.kind === 'remove') return proposal.removed
  const ofSender = proposal.kind === 'update' || proposal.kind === 'self-remove'
  return ofSender && sender.kind === 'member' ? sender.leafIndex : undefined
}

export function count(proposals: readonly SentProposal[], kind: Proposal['kind']): number {
  return proposals.filter(({ proposal }) => proposal.kind === kind).length
}
