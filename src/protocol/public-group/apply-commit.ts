import { broken } from '../mls/broken-rule.js'
import type { ReInit } from '../mls/structures/proposal.js'
import type { PublicMessage } from '../mls/structures/public-message.js'
import { place } from './framing.js'
import { nextEpoch } from './next-epoch.js'
import { reinitOf, resolveProposals } from './proposal-list.js'
import { refused, type PublicGroupState, type Refused } from './state.js'

export interface AppliedCommit {
  readonly kind: 'applied'
  readonly next: PublicGroupState
  readonly reinit: ReInit | undefined
}

/**
 * Applies a Commit that was accepted before, without judging it again: a later release may be stricter, and must still be able
 * to follow the log it finds. It refuses only what cannot be applied to this state, and leads where `validateCommit` led.
 */
export function applyCommit(state: PublicGroupState, message: PublicMessage): AppliedCommit | Refused {
  const commit = message.content
  if (commit.kind !== 'commit') return refused(broken('content-type'))
  const misplaced = place(state, message)
  if (misplaced !== undefined) return refused(misplaced)
  const resolved = resolveProposals(state, commit, message.sender)
  if (resolved.kind === 'broken') return refused(resolved)
  const next = nextEpoch(state, { message, commit, proposals: resolved.proposals })
  if (next.kind === 'broken') return refused(next)
  return { kind: 'applied', next: next.state, reinit: reinitOf(resolved.proposals) }
}
