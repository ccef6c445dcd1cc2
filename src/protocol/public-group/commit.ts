import { broken, type BrokenRule } from '../mls/rules.js'
import { leafNodeContent, type LifetimeLimits } from '../mls/leaf-node-rules.js'
import { keyPackageRef } from '../mls/hashes.js'
import type { GroupInfo } from '../mls/structures/group-info.js'
import type { Proposal, ReInit } from '../mls/structures/proposal.js'
import type { PublicMessage } from '../mls/structures/public-message.js'
import type { Welcome } from '../mls/structures/welcome.js'
import { externalProposalList } from './proposals/external-proposal-list.js'
import { framing } from './framing.js'
import { groupInfoOfCommit, type OpenedEpoch } from './rules/group-info.js'
import { newLeaves, newSignatures } from './rules/new-leaves.js'
import { withPath, withProposals, type NextEpoch, type ResolvedCommit } from './apply-commit.js'
import { pathInTree } from './rules/path-rules.js'
import { memberProposalList, proposalList, reinitOf, repeatedReference, resolveProposals } from './proposals/proposal-list.js'
import { changedLeaf, type SentProposal } from './proposals/pending-proposals.js'
import { memberAt, refused, type CommitContent, type Member, type PublicGroupState, type Refused } from './state.js'
import { welcomesOfCommit } from './rules/welcome.js'

/** What comes with a Commit; what is left out is not checked. */
export interface CommitBundle {
  readonly groupInfo?: GroupInfo | undefined
  readonly welcomes?: readonly Welcome[] | undefined
  /** The GroupInfo may have the tree inside: in a private group, whose tree the server takes from clients. */
  readonly mayCarryTree?: boolean
  /** Limits for the leaves of added members. */
  readonly lifetimes?: LifetimeLimits | undefined
}

/** A Commit that may be accepted, what it changes, and the state that it leads to. */
export interface ValidCommit {
  readonly kind: 'valid'
  readonly next: PublicGroupState
  /** The member whose key signed; in an external Commit the joiner, at its new leaf. */
  readonly committer: Member
  readonly external: boolean
  /** By Add, at their new leaves; a joiner by external Commit is the committer, not one of these. */
  readonly added: readonly (Member & { readonly keyPackageRef: Uint8Array })[]
  /** Removed members as they were before; in an external Commit perhaps the joiner's former leaf. */
  readonly removed: readonly Member[]
  /** Members as they are afterwards: by Update, or as a committing member's path sets it. */
  readonly updated: readonly Member[]
  readonly proposals: readonly SentProposal[]
  readonly reinit: ReInit | undefined
}

/**
 * Judges a Commit against the state of its epoch (RFC 9420 §12.4.2) and gives the next state. Signatures are checked in the
 * thread pool; the rest costs O(log n) hashes for each leaf the Commit touches. What a server cannot check is in
 * docs/mls-rules.md.
 */
export async function validateCommit(
  state: PublicGroupState,
  message: PublicMessage,
  bundle: CommitBundle = {},
): Promise<ValidCommit | Refused> {
  const commit = message.content
  if (commit.kind !== 'commit') return refused(broken('content-type'))
  const unread = (await framing(state, message)) ?? repeatedReference(commit)
  if (unread !== undefined) return refused(unread)
  const listed = resolveProposals(state, commit, message.sender)
  if (listed.kind === 'broken') return refused(listed)
  const resolved = { message, commit, proposals: listed.proposals }

  // Whatever is cheap to refuse is refused before the tree is touched.
  const refs = addedRefs(state.groupContext.cipherSuite, listed.proposals)
  const unfit = listRules(state, resolved, bundle) ?? welcomeRules(state, refs, bundle)
  if (unfit !== undefined) return refused(unfit)

  const next = openEpoch(state, resolved)
  if (next.kind === 'broken') return refused(next)
  const [unsigned, mismatched] = await Promise.all([
    newSignatures(state, resolved, next.committer.leafIndex),
    bundle.groupInfo && groupInfoOfCommit(bundle.groupInfo, openedEpoch(commit, next), bundle.mayCarryTree),
  ])
  const found = unsigned ?? mismatched
  return found === undefined ? describe(state, message, { proposals: listed.proposals, refs, next }) : refused(found)
}

function listRules(state: PublicGroupState, { message, commit, proposals }: ResolvedCommit, bundle: CommitBundle): BrokenRule | undefined {
  const { sender } = message
  return (
    proposalList(state, proposals, commit, bundle.lifetimes) ??
    (sender.kind === 'member' ? memberProposalList(proposals, sender.leafIndex) : externalProposalList(state, proposals, commit.path))
  )
}

function welcomeRules({ groupContext }: PublicGroupState, refs: readonly Uint8Array[], { welcomes }: CommitBundle): BrokenRule | undefined {
  return welcomes && welcomesOfCommit(welcomes, groupContext.cipherSuite, refs)
}

/** The next epoch, if all rules but those of signatures and of the GroupInfo allow it. */
function openEpoch(state: PublicGroupState, resolved: ResolvedCommit): NextEpoch | ({ kind: 'broken' } & BrokenRule) {
  const suite = state.groupContext.cipherSuite
  const applied = withProposals(state, resolved)
  if (applied.kind === 'broken') return applied
  const { path } = resolved.commit
  const added = applied.added.map(({ leafIndex }) => leafIndex)
  const place = { suite, tree: applied.draft, committer: applied.committer.leafIndex, added }
  const misplaced = path && (leafNodeContent(suite, path.leafNode) ?? pathInTree(place, path))
  if (misplaced !== undefined) return { kind: 'broken', ...misplaced }

  const next = withPath(state, resolved, applied)
  if (next.kind === 'broken') return next
  const byPath = path && next.committer.leafIndex
  const after = { tree: next.state.tree, extensions: next.state.groupContext.extensions, added: next.added, byPath }
  const unfit = newLeaves(state.tree, resolved.proposals, after)
  return unfit === undefined ? next : { kind: 'broken', ...unfit }
}

function openedEpoch({ confirmationTag }: CommitContent, { state, committer }: NextEpoch): OpenedEpoch {
  return { groupContext: state.groupContext, tree: state.tree, confirmationTag, committer: committer.leafIndex }
}

/** The KeyPackageRefs of the Adds, in their order, which is that of the leaves they get. */
function addedRefs(suite: number, proposals: readonly SentProposal[]): Uint8Array[] {
  return proposals.flatMap(({ proposal }) => (proposal.kind === 'add' ? (keyPackageRef(suite, proposal.keyPackage.bytes) ?? []) : []))
}

interface Applied {
  readonly proposals: readonly SentProposal[]
  readonly refs: readonly Uint8Array[]
  readonly next: NextEpoch
}

function describe(before: PublicGroupState, { content, sender }: PublicMessage, { proposals, refs, next }: Applied): ValidCommit {
  const { state, committer, added } = next
  const external = sender.kind !== 'member'
  const updates = changedLeaves(proposals, (kind) => kind === 'update')
  const ownUpdate = !external && content.kind === 'commit' && content.path !== undefined ? [committer.leafIndex] : []
  return {
    kind: 'valid',
    next: state,
    committer,
    external,
    added: added.flatMap(({ leafIndex, keyPackage }, at) => {
      const ref = refs[at]
      return ref === undefined ? [] : [{ ...memberAt(leafIndex, keyPackage.leafNode), keyPackageRef: ref }]
    }),
    removed: membersAt(
      before,
      changedLeaves(proposals, (kind) => kind !== 'update'),
    ),
    updated: membersAt(state, [...updates, ...ownUpdate]),
    proposals,
    reinit: reinitOf(proposals),
  }
}

function changedLeaves(proposals: readonly SentProposal[], wanted: (kind: Proposal['kind']) => boolean): number[] {
  return proposals
    .filter(({ proposal }) => wanted(proposal.kind))
    .map(changedLeaf)
    .filter((leafIndex) => leafIndex !== undefined)
}

function membersAt(state: PublicGroupState, leafIndices: readonly number[]): Member[] {
  return leafIndices.flatMap((leafIndex) => {
    const leaf = state.tree.leaf(leafIndex)
    return leaf === undefined ? [] : [memberAt(leafIndex, leaf)]
  })
}
