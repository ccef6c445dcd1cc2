import { brokenUnless, type BrokenRule } from '../mls/broken-rule.js'
import type { Commit } from '../mls/structures/commit.js'
import type { Proposal, ReInit } from '../mls/structures/proposal.js'
import type { Sender } from '../mls/structures/public-message.js'
import { MLS_EXTENSIONS, proposalTarget, type SentProposal } from './proposal.js'
import { refKey, type PublicGroupState } from './state.js'

/** RFC 9420 §12.4, and SelfRemove's own draft. */
const PATH_REQUIRED: ReadonlySet<Proposal['kind']> = new Set([
  'update',
  'remove',
  'external-init',
  'group-context-extensions',
  'self-remove',
])

/** The server's own rule: what one Commit may add costs a signature check or a query each in many places. */
export const MAX_ADDS = 2_048

export type CommittedProposals =
  { readonly kind: 'resolved'; readonly proposals: readonly SentProposal[] } | ({ readonly kind: 'broken' } & BrokenRule)

/** RFC 9420 §12.2: a Commit holds each proposal once; looked at before anything is resolved. */
export function repeatedReference({ proposals }: Commit): BrokenRule | undefined {
  const refs = proposals.flatMap((item) => (item.kind === 'reference' ? [refKey(item.ref)] : []))
  return brokenUnless(new Set(refs).size === refs.length, 'proposal-reference-repeated', '12.2')
}

/** RFC 9420 §12.4: what a Commit names by reference was proposed in this epoch. */
export function resolveProposals(state: PublicGroupState, commit: Commit, committer: Sender): CommittedProposals {
  const proposals: SentProposal[] = []
  for (const item of commit.proposals) {
    if (item.kind === 'proposal') {
      proposals.push({ proposal: item.proposal, sender: committer, byReference: false })
      continue
    }
    const pending = state.pending.get(refKey(item.ref))
    if (pending === undefined) return { kind: 'broken', rule: 'proposal-reference', section: '12.4' }
    proposals.push({ proposal: pending.proposal, sender: pending.sender, byReference: true })
  }
  return { kind: 'resolved', proposals }
}

/** The rules for every list of proposals (RFC 9420 §12.2). */
export function proposalList(state: PublicGroupState, proposals: readonly SentProposal[], commit: Commit): BrokenRule | undefined {
  if (count(proposals, 'add') > MAX_ADDS) return { rule: 'too-many-adds', section: '12.2' }
  for (const sent of proposals) {
    const broken = proposalTarget(state, sent) ?? selfRemoveByReference(sent)
    if (broken !== undefined) return broken
  }
  return oneChangePerLeaf(proposals) ?? addedKeys(proposals) ?? pathPresence(proposals, commit)
}

/** The further rules for the list of a member's Commit (RFC 9420 §12.2). */
export function memberProposalList(proposals: readonly SentProposal[], committer: number): BrokenRule | undefined {
  return (
    noExternalInit(proposals) ??
    updateByCommitter(proposals, committer) ??
    removesCommitter(proposals, committer) ??
    oneGroupContextExtensions(proposals) ??
    reInitAlone(proposals)
  )
}

/** What a list of proposals says about a group to come (RFC 9420 §12.1.5). */
export function reinitOf(proposals: readonly SentProposal[]): ReInit | undefined {
  return proposals.map(({ proposal }) => proposal).find((proposal) => proposal.kind === 'reinit')
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

function oneChangePerLeaf(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const changed = proposals.map(changedLeaf).filter((leafIndex) => leafIndex !== undefined)
  return brokenUnless(new Set(changed).size === changed.length, 'one-change-per-leaf', '12.2')
}

/** RFC 9420 §7.3, §10.1: new members share neither a signature key nor an encryption key, and no KeyPackage is used twice. */
function addedKeys(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const added = proposals.flatMap(({ proposal }) => (proposal.kind === 'add' ? [proposal.keyPackage] : []))
  const distinct = (keys: readonly Uint8Array[]): boolean => new Set(keys.map(refKey)).size === keys.length
  return (
    brokenUnless(distinct(added.map(({ leafNode }) => leafNode.signatureKey)), 'add-signature-key', '7.3') ??
    brokenUnless(distinct(added.map(({ leafNode }) => leafNode.encryptionKey)), 'add-encryption-key', '7.3') ??
    brokenUnless(distinct(added.map(({ initKey }) => initKey)), 'add-init-key', '10.1')
  )
}

function pathPresence(proposals: readonly SentProposal[], { path }: Commit): BrokenRule | undefined {
  const required = proposals.length === 0 || proposals.some(({ proposal }) => PATH_REQUIRED.has(proposal.kind))
  return brokenUnless(path !== undefined || !required, 'path-required', '12.4')
}

function selfRemoveByReference({ proposal, byReference }: SentProposal): BrokenRule | undefined {
  return brokenUnless(proposal.kind !== 'self-remove' || byReference, 'self-remove-by-reference', MLS_EXTENSIONS)
}

function noExternalInit(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'external-init') === 0, 'external-init-of-member', '12.2')
}

function updateByCommitter(proposals: readonly SentProposal[], committer: number): BrokenRule | undefined {
  const own = proposals.some((sent) => sent.proposal.kind === 'update' && changedLeaf(sent) === committer)
  return brokenUnless(!own, 'update-by-committer', '12.2')
}

function removesCommitter(proposals: readonly SentProposal[], committer: number): BrokenRule | undefined {
  const removed = proposals.some((sent) => sent.proposal.kind !== 'update' && changedLeaf(sent) === committer)
  return brokenUnless(!removed, 'remove-committer', '12.2')
}

function oneGroupContextExtensions(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'group-context-extensions') <= 1, 'one-group-context-extensions', '12.2')
}

function reInitAlone(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'reinit') === 0 || proposals.length === 1, 'reinit-alone', '12.2')
}
