import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { applyGroupContextExtensions, applyProposals } from './apply-proposals.js'
import { waitingList } from './proposal-list.js'
import { newLeaves } from '../rules/new-leaves.js'
import { changedLeaf, type SentProposal } from './pending-proposals.js'
import type { PublicGroupState } from '../state.js'
import { TreeDraft, type Tree } from '../tree/tree.js'

/** The tree as it would be after a Commit of all that waits, without that Commit's path. */
export type Committable = { readonly kind: 'committable'; readonly tree: Tree } | ({ readonly kind: 'broken' } & BrokenRule)

/**
 * Whether one Commit can carry all that waits in this epoch and one more proposal, so that nobody keeps others from committing by what they
 * propose (RFC 9420 §12.2, §12.4). Of two changes of one leaf a committer takes the Remove. `sent` must have been found valid by itself.
 * Costs O(log n) hashes for each leaf that changes.
 */
export function committableWith(state: PublicGroupState, sent: SentProposal): Committable {
  const waiting = state.pending.values().map(({ proposal, sender }) => ({ proposal, sender, byReference: true }))
  const list = removesPreferred([...waiting, sent])
  const { extensions } = state.groupContext
  const unfit = changedAgain(waiting, sent) ?? waitingList(extensions, list) ?? somebodyLeft(state, list)
  if (unfit !== undefined) return { kind: 'broken', ...unfit }

  const draft = new TreeDraft(state.tree)
  const applied = applyProposals(draft, list)
  if (applied.kind === 'broken') return applied
  const tree = draft.seal()
  const after = { tree, extensions: applyGroupContextExtensions(extensions, list), added: applied.added }
  const misfit = newLeaves(state.tree, list, after)
  return misfit === undefined ? { kind: 'committable', tree } : { kind: 'broken', ...misfit }
}

/** RFC 9420 §12.2: a Commit changes a leaf once. A leaf that has an Update waiting can still be removed, or its member could prevent it. */
function changedAgain(waiting: readonly SentProposal[], sent: SentProposal): BrokenRule | undefined {
  const leafIndex = changedLeaf(sent)
  if (leafIndex === undefined) return undefined
  const before = waiting.filter((other) => changedLeaf(other) === leafIndex)
  return brokenUnless(
    before.every(({ proposal }) => proposal.kind === 'update') && !(before.length > 0 && isUpdate(sent)),
    'one-change-per-leaf',
  )
}

/** RFC 9420 §12.2: of several changes of a leaf, a Remove is preferred; otherwise the last one. */
export function removesPreferred(proposals: readonly SentProposal[]): SentProposal[] {
  const chosen = new Map<number, SentProposal>()
  for (const sent of proposals) {
    const leafIndex = changedLeaf(sent)
    const other = leafIndex === undefined ? undefined : chosen.get(leafIndex)
    if (leafIndex !== undefined && (other === undefined || isUpdate(other))) chosen.set(leafIndex, sent)
  }
  return proposals.filter((sent) => {
    const leafIndex = changedLeaf(sent)
    return leafIndex === undefined || chosen.get(leafIndex) === sent
  })
}

/** RFC 9420 §12.2: nobody commits their own removal, so somebody has to be left who commits all others'. */
function somebodyLeft({ tree }: PublicGroupState, list: readonly SentProposal[]): BrokenRule | undefined {
  const gone = list.filter((sent) => !isUpdate(sent) && changedLeaf(sent) !== undefined)
  const members = [...tree.index.credentialTypes.values()].reduce((sum, count) => sum + count, 0)
  return brokenUnless(gone.length < members, 'remove-committer')
}

function isUpdate({ proposal }: SentProposal): boolean {
  return proposal.kind === 'update'
}
