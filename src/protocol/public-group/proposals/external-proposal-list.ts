import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { sameBytes } from '../../bytes.js'
import type { UpdatePath } from '../../mls/structures/commit.js'
import type { Proposal } from '../../mls/structures/proposal.js'
import { count, type SentProposal } from './pending-proposals.js'
import type { PublicGroupState } from '../state.js'

/** RFC 9420 §12.2, and what draft-ietf-mls-extensions adds. */
const ALLOWED: ReadonlySet<Proposal['kind']> = new Set([
  'external-init',
  'remove',
  'psk',
  'self-remove',
  'app-data-update',
  'app-ephemeral',
])

/** The rules for the proposals of an external Commit (RFC 9420 §12.2, §12.4.3.2). */
export function externalProposalList(
  state: PublicGroupState,
  proposals: readonly SentProposal[],
  path: UpdatePath | undefined,
): BrokenRule | undefined {
  return (
    onlyAllowed(proposals) ??
    byValue(proposals) ??
    oneExternalInit(proposals) ??
    oneRemove(proposals) ??
    resyncLeafKey(state, proposals, path)
  )
}

function onlyAllowed(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(
    proposals.every(({ proposal }) => ALLOWED.has(proposal.kind)),
    'external-commit-proposals',
  )
}

/** A joiner cannot judge proposals made in the group, but for SelfRemove, which its draft wants here. */
function byValue(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const holds = proposals.every(({ proposal, byReference }) => !byReference || proposal.kind === 'self-remove')
  return brokenUnless(holds, 'external-commit-by-value')
}

function oneExternalInit(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'external-init') === 1, 'external-commit-one-init')
}

/** The joiner's own former leaf; whether it is the joiner's is a matter of identities, for the caller. */
function oneRemove(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'remove') <= 1, 'external-commit-one-remove')
}

/** RFC 9420 §12.2: the new leaf could be an Update of the one that the joiner removes. */
function resyncLeafKey(
  { tree }: PublicGroupState,
  proposals: readonly SentProposal[],
  path: UpdatePath | undefined,
): BrokenRule | undefined {
  const fresh = proposals.every(({ proposal }) => {
    const former = proposal.kind === 'remove' ? tree.leaf(proposal.removed) : undefined
    return former === undefined || path === undefined || !sameBytes(former.encryptionKey, path.leafNode.encryptionKey)
  })
  return brokenUnless(fresh, 'external-commit-leaf-key')
}
