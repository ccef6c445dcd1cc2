import { broken, type BrokenRule } from '../mls/rules.js'
import type { ReInit } from '../mls/structures/proposal.js'
import type { PublicMessage } from '../mls/structures/public-message.js'
import { place } from './framing.js'
import { reinitOf, resolveProposals } from './proposals/proposal-list.js'
import {
  refused,
  type PublicGroupState,
  type Refused,
  memberAt,
  type CommitContent,
  type Member,
  confirmedTranscriptHash,
  interimTranscriptHash,
} from './state.js'
import { makeGroupContext } from '../mls/structures/group-info.js'
import { applyGroupContextExtensions, applyProposals, takeBlankLeaf, type AddedLeaf } from './proposals/apply-proposals.js'
import { PendingProposals, type SentProposal } from './proposals/pending-proposals.js'
import { TreeDraft } from './tree/tree.js'
import { mergeUpdatePath } from './tree/update-path.js'

/** The next epoch's state, and the ReInit that the Commit holds, if any. */
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

/** A Commit whose proposals are resolved. */
export interface ResolvedCommit {
  readonly message: PublicMessage
  readonly commit: CommitContent
  readonly proposals: readonly SentProposal[]
}

/** Half way: the proposals are in the tree, the path is not. */
export interface ProposalsApplied {
  readonly kind: 'proposals-applied'
  readonly draft: TreeDraft
  /** Whose key signed, at its leaf in the new tree. */
  readonly committer: Member
  readonly added: readonly AddedLeaf[]
}

/** The state that the Commit leads to, with the members by their leaves in the new tree. */
export interface NextEpoch {
  readonly kind: 'next'
  readonly state: PublicGroupState
  readonly committer: Member
  readonly added: readonly AddedLeaf[]
}

type Broken = { readonly kind: 'broken' } & BrokenRule

/** Applies a Commit (RFC 9420 §12.4.2): the new tree, transcript hashes and GroupContext. `broken` where it cannot be applied. */
export function nextEpoch(state: PublicGroupState, resolved: ResolvedCommit): NextEpoch | Broken {
  const applied = withProposals(state, resolved)
  return applied.kind === 'broken' ? applied : withPath(state, resolved, applied)
}

/**
 * The first half of `nextEpoch`: the proposals in a draft of the tree (RFC 9420 §12.3), and the committer's leaf in it. `broken` where the
 * tree would be too large or the sender has no leaf.
 */
export function withProposals(state: PublicGroupState, { message, commit, proposals }: ResolvedCommit): ProposalsApplied | Broken {
  const { sender } = message
  const draft = new TreeDraft(state.tree)
  const applied = applyProposals(draft, proposals)
  if (applied.kind === 'broken') return applied

  // A joiner by external Commit gets the leaf that an Add would have got (RFC 9420 §12.4.3.2).
  const leafIndex = sender.kind === 'member' ? sender.leafIndex : takeBlankLeaf(draft)
  if (leafIndex === undefined) return { kind: 'broken', ...broken('tree-size') }
  const signer = sender.kind === 'member' ? state.tree.leaf(leafIndex) : commit.path?.leafNode
  if (signer === undefined) return { kind: 'broken', ...broken('sender-is-member') }
  return { kind: 'proposals-applied', draft, committer: memberAt(leafIndex, signer), added: applied.added }
}

/**
 * The second half of `nextEpoch`: merges the path, if there is one, and seals the tree. The draft is of no further use afterwards.
 * `broken` where the path does not fit the tree (RFC 9420 §7.5).
 */
export function withPath(
  state: PublicGroupState,
  resolved: ResolvedCommit,
  { draft, committer, added }: ProposalsApplied,
): NextEpoch | Broken {
  const { message, commit, proposals } = resolved
  const unmerged = commit.path && mergeUpdatePath(draft, committer.leafIndex, commit.path)
  if (unmerged !== undefined) return { kind: 'broken', ...unmerged }

  const tree = draft.seal()
  const confirmed = confirmedTranscriptHash(tree.algorithm, state.interimTranscriptHash, message)
  const groupContext = makeGroupContext({
    ...state.groupContext,
    epoch: state.groupContext.epoch + 1n,
    treeHash: tree.hash,
    confirmedTranscriptHash: confirmed,
    extensions: applyGroupContextExtensions(state.groupContext.extensions, proposals),
  })
  const interim = interimTranscriptHash(tree.algorithm, confirmed, commit.confirmationTag)
  return { kind: 'next', state: { groupContext, tree, interimTranscriptHash: interim, pending: PendingProposals.none }, committer, added }
}
