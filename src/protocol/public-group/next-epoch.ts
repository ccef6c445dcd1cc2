import type { BrokenRule } from '../mls/broken-rule.js'
import { makeGroupContext } from '../mls/structures/group-context.js'
import type { PublicMessage } from '../mls/structures/public-message.js'
import { applyGroupContextExtensions, applyProposals, takeBlankLeaf, TREE_SIZE, type AddedLeaf } from './apply-proposals.js'
import type { SentProposal } from './proposal.js'
import { memberAt, type CommitContent, type Member, type PublicGroupState } from './state.js'
import { confirmedTranscriptHash, interimTranscriptHash } from './transcript.js'
import { TreeDraft, type Tree } from './tree.js'
import { mergeUpdatePath } from './update-path.js'

export interface NextEpoch {
  readonly kind: 'next'
  readonly state: PublicGroupState
  /** Whose key signed, at its leaf in the new tree. */
  readonly committer: Member
  readonly added: readonly AddedLeaf[]
}

type Broken = { readonly kind: 'broken' } & BrokenRule

/** Applies a Commit (RFC 9420 §12.4.2) whose proposals are resolved: the new tree, transcript hashes and GroupContext. */
export function nextEpoch(
  state: PublicGroupState,
  message: PublicMessage,
  commit: CommitContent,
  proposals: readonly SentProposal[],
): NextEpoch | Broken {
  const changed = nextTree(state, message, commit, proposals)
  if (changed.kind === 'broken') return changed

  const { algorithm } = changed.tree
  const confirmed = confirmedTranscriptHash(algorithm, state.interimTranscriptHash, message)
  const groupContext = makeGroupContext({
    ...state.groupContext,
    epoch: state.groupContext.epoch + 1n,
    treeHash: changed.tree.hash,
    confirmedTranscriptHash: confirmed,
    extensions: applyGroupContextExtensions(state.groupContext.extensions, proposals),
  })
  const interim = interimTranscriptHash(algorithm, confirmed, commit.confirmationTag)
  const next = { groupContext, tree: changed.tree, interimTranscriptHash: interim, pending: new Map() }
  return { kind: 'next', state: next, committer: changed.committer, added: changed.added }
}

interface ChangedTree {
  readonly kind: 'tree'
  readonly tree: Tree
  readonly committer: Member
  readonly added: readonly AddedLeaf[]
}

function nextTree(
  state: PublicGroupState,
  { sender }: PublicMessage,
  { path }: CommitContent,
  proposals: readonly SentProposal[],
): ChangedTree | Broken {
  const draft = new TreeDraft(state.tree)
  const applied = applyProposals(draft, proposals)
  if (applied.kind === 'broken') return applied

  // A joiner by external Commit gets the leaf that an Add would have got (RFC 9420 §12.4.3.2).
  const leafIndex = sender.kind === 'member' ? sender.leafIndex : takeBlankLeaf(draft)
  if (leafIndex === undefined) return { kind: 'broken', ...TREE_SIZE }
  const signer = sender.kind === 'member' ? state.tree.leaf(leafIndex) : path?.leafNode
  if (signer === undefined) return { kind: 'broken', rule: 'sender-is-member', section: '6.1' }

  const broken = path && mergeUpdatePath(draft, leafIndex, path)
  if (broken !== undefined) return { kind: 'broken', ...broken }
  return { kind: 'tree', tree: draft.seal(), committer: memberAt(leafIndex, signer), added: applied.added }
}
