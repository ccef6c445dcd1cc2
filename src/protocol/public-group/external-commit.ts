import { brokenUnless, type BrokenRule } from '../mls/broken-rule.js'
import type { Proposal } from '../mls/structures/proposal.js'
import type { SentProposal } from './proposal.js'
import { count } from './proposal-list.js'

const ALLOWED: ReadonlySet<Proposal['kind']> = new Set(['external-init', 'remove', 'psk', 'self-remove'])

/** The rules for the proposals of an external Commit (RFC 9420 §12.2, §12.4.3.2). */
export function externalProposalList(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return onlyAllowed(proposals) ?? byValue(proposals) ?? oneExternalInit(proposals) ?? oneRemove(proposals)
}

function onlyAllowed(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(
    proposals.every(({ proposal }) => ALLOWED.has(proposal.kind)),
    'external-commit-proposals',
    '12.2',
  )
}

/** A joiner cannot judge proposals made in the group, but for SelfRemove, which its draft wants here. */
function byValue(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const holds = proposals.every(({ proposal, byReference }) => !byReference || proposal.kind === 'self-remove')
  return brokenUnless(holds, 'external-commit-by-value', '12.4.3.2')
}

function oneExternalInit(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'external-init') === 1, 'external-commit-one-init', '12.2')
}

/** The joiner's own former leaf; whether it is the joiner's is a matter of identities, for the caller. */
function oneRemove(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'remove') <= 1, 'external-commit-one-remove', '12.2')
}
