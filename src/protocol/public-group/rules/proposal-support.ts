import { brokenUnless, type BrokenRule } from '../../mls/broken-rule.js'
import { listsAll } from '../../mls/grease.js'
import { NON_DEFAULT_PROPOSALS, PROPOSAL_TYPES } from '../../mls/structures/proposal.js'
import { changedLeaf, type SentProposal } from '../sent-proposal.js'
import type { PublicGroupState } from '../state.js'

/**
 * RFC 9420 §12.2: a proposal type beyond the RFC's own needs every member that stays, by the capabilities of its leaf in this
 * epoch; who is added or removed does not matter. SelfRemove's draft says the same of the one who proposes it.
 */
export function proposalTypesSupported({ tree }: PublicGroupState, proposals: readonly SentProposal[]): BrokenRule | undefined {
  const kinds = new Set(proposals.map(({ proposal }) => proposal.kind).filter((kind) => NON_DEFAULT_PROPOSALS.has(kind)))
  if (kinds.size === 0) return undefined
  const types = [...kinds].map((kind) => PROPOSAL_TYPES[kind])
  const leaving = new Set(proposals.filter(({ proposal }) => proposal.kind !== 'update').map(changedLeaf))
  for (let leafIndex = 0; leafIndex < tree.leafCount; leafIndex++) {
    const leaf = leaving.has(leafIndex) ? undefined : tree.leaf(leafIndex)
    const supported = leaf === undefined || listsAll(leaf.capabilities.proposals, types)
    if (!supported) return brokenUnless(false, 'proposal-type-supported')
  }
  return undefined
}
