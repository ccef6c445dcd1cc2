import type { BrokenRule } from '../mls/broken-rule.js'
import { keyPackageRef } from '../mls/references.js'
import type { GroupInfo } from '../mls/structures/group-info.js'
import type { Proposal, ReInit } from '../mls/structures/proposal.js'
import type { PublicMessage, Sender } from '../mls/structures/public-message.js'
import type { Welcome } from '../mls/structures/welcome.js'
import { externalProposalList } from './external-commit.js'
import { framing } from './framing.js'
import { groupInfoOfCommit, type OpenedEpoch } from './group-info.js'
import { nextEpoch, type NextEpoch } from './next-epoch.js'
import type { SentProposal } from './proposal.js'
import { changedLeaf, memberProposalList, proposalList, reinitOf, repeatedReference, resolveProposals } from './proposal-list.js'
import { memberAt, refused, type CommitContent, type Member, type PublicGroupState, type Refused } from './state.js'
import { welcomesOfCommit } from './welcome.js'

/** What comes with a Commit; what is left out is not checked. */
export interface CommitBundle {
  readonly groupInfo?: GroupInfo | undefined
  readonly welcomes?: readonly Welcome[] | undefined
  /** The GroupInfo may have the tree inside: in a private group, whose tree the server takes from clients. */
  readonly mayCarryTree?: boolean
}

export interface ValidCommit {
  readonly kind: 'valid'
  readonly next: PublicGroupState
  /** The member whose key signed; in an external Commit the joiner, at its new leaf. */
  readonly committer: Member
  readonly external: boolean
  /** By Add, at their new leaves; a joiner by external Commit is the committer, not one of these. */
  readonly added: readonly (Member & { readonly keyPackageRef: Uint8Array })[]
  /** As they were before; in an external Commit perhaps the joiner's former leaf. */
  readonly removed: readonly Member[]
  /** As they are afterwards: by Update, or as a committing member's path sets it. */
  readonly updated: readonly Member[]
  readonly proposals: readonly SentProposal[]
  readonly reinit: ReInit | undefined
}

/**
 * Judges a Commit against the state of its epoch (RFC 9420 §12.4.2) and gives the next state. Signatures are checked in the
 * thread pool; the rest costs O(log n) hashes for each leaf the Commit touches. A server cannot check membership_tag, the value
 * of confirmation_tag, encrypted path secrets, external_pub, nor what is in a Welcome.
 */
export async function validateCommit(
  state: PublicGroupState,
  message: PublicMessage,
  bundle: CommitBundle = {},
): Promise<ValidCommit | Refused> {
  const commit = message.content
  if (commit.kind !== 'commit') return refused({ rule: 'content-type', section: '6' })
  const misframed = await framing(state, message)
  if (misframed !== undefined) return refused(misframed)

  const repeated = repeatedReference(commit)
  if (repeated !== undefined) return refused(repeated)
  const resolved = resolveProposals(state, commit, message.sender)
  if (resolved.kind === 'broken') return refused(resolved)
  const { proposals } = resolved
  const unlisted = proposalList(state, proposals, commit) ?? listOfSender(message.sender, proposals)
  if (unlisted !== undefined) return refused(unlisted)
  // Whatever is cheap to refuse is refused before the tree is touched.
  const suite = state.groupContext.cipherSuite
  const refs = addedRefs(suite, proposals)
  const uninvited = bundle.welcomes && welcomesOfCommit(bundle.welcomes, suite, refs)
  if (uninvited !== undefined) return refused(uninvited)

  const next = nextEpoch(state, message, commit, proposals)
  if (next.kind === 'broken') return refused(next)
  const mismatched = bundle.groupInfo && (await groupInfoOfCommit(bundle.groupInfo, openedEpoch(commit, next), bundle.mayCarryTree))
  return mismatched === undefined ? describe(state, message, { proposals, refs, next }) : refused(mismatched)
}

function listOfSender(sender: Sender, proposals: readonly SentProposal[]): BrokenRule | undefined {
  return sender.kind === 'member' ? memberProposalList(proposals, sender.leafIndex) : externalProposalList(proposals)
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
