import { broken, brokenUnless, type BrokenRule } from '../../mls/rules.js'
import type { LifetimeLimits } from '../../mls/leaf-node-rules.js'
import type { Extension } from '../../mls/structures/extension.js'
import type { Commit } from '../../mls/structures/commit.js'
import type { Proposal, ReInit } from '../../mls/structures/proposal.js'
import type { Sender } from '../../mls/structures/public-message.js'
import { appDataList } from './app-data.js'
import { proposalContent, proposalTypesSupported, foundsGroup } from './proposal.js'
import { changedLeaf, count, type SentProposal } from './pending-proposals.js'
import type { PublicGroupState } from '../state.js'
import { hex } from '../../bytes.js'

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

/** In the order of the Commit, references resolved; `broken` for a reference to nothing that waits. */
export type CommittedProposals =
  { readonly kind: 'resolved'; readonly proposals: readonly SentProposal[] } | ({ readonly kind: 'broken' } & BrokenRule)

/** RFC 9420 §12.2: a Commit holds each proposal once; looked at before anything is resolved. */
export function repeatedReference({ proposals }: Commit): BrokenRule | undefined {
  const refs = proposals.flatMap((item) => (item.kind === 'reference' ? [hex(item.ref)] : []))
  return brokenUnless(new Set(refs).size === refs.length, 'proposal-reference-repeated')
}

/** RFC 9420 §12.4: what a Commit names by reference was proposed in this epoch. */
export function resolveProposals(state: PublicGroupState, commit: Commit, committer: Sender): CommittedProposals {
  const proposals: SentProposal[] = []
  for (const item of commit.proposals) {
    if (item.kind === 'proposal') {
      proposals.push({ proposal: item.proposal, sender: committer, byReference: false })
      continue
    }
    const pending = state.pending.get(hex(item.ref))
    if (pending === undefined) return { kind: 'broken', ...broken('proposal-reference') }
    proposals.push({ proposal: pending.proposal, sender: pending.sender, byReference: true })
  }
  return { kind: 'resolved', proposals }
}

/** The rules for every list of proposals (RFC 9420 §12.2), before any of them is applied. */
export function proposalList(
  state: PublicGroupState,
  proposals: readonly SentProposal[],
  commit: Commit,
  lifetimes?: LifetimeLimits,
): BrokenRule | undefined {
  const tooMany = brokenUnless(count(proposals, 'add') <= MAX_ADDS, 'too-many-adds')
  if (tooMany !== undefined) return tooMany
  for (const sent of proposals) {
    const found = proposalContent(state, sent, lifetimes) ?? selfRemoveByReference(sent)
    if (found !== undefined) return found
  }
  return (
    proposalTypesSupported(state, proposals) ??
    oneChangePerLeaf(proposals) ??
    proposalsTogether(state.groupContext.extensions, proposals) ??
    pathPresence(proposals, commit)
  )
}

/** What proposals that are valid one by one have to be together, for any committer. */
function proposalsTogether(extensions: readonly Extension[], proposals: readonly SentProposal[]): BrokenRule | undefined {
  return addedInitKeys(proposals) ?? pskList(proposals) ?? appDataList(extensions, proposals)
}

/** The rules for proposals that wait for a member's Commit, in addition to those for each (RFC 9420 §12.2). */
export function waitingList(extensions: readonly Extension[], proposals: readonly SentProposal[]): BrokenRule | undefined {
  return (
    brokenUnless(count(proposals, 'add') <= MAX_ADDS, 'too-many-adds') ??
    proposalsTogether(extensions, proposals) ??
    oneGroupContextExtensions(proposals) ??
    reInitAlone(proposals)
  )
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

function oneChangePerLeaf(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const changed = proposals.map(changedLeaf).filter((leafIndex) => leafIndex !== undefined)
  return brokenUnless(new Set(changed).size === changed.length, 'one-change-per-leaf')
}

/** RFC 9420 §10.1: no KeyPackage is used twice. */
function addedInitKeys(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const keys = proposals.flatMap(({ proposal }) => (proposal.kind === 'add' ? [hex(proposal.keyPackage.initKey)] : []))
  return brokenUnless(new Set(keys).size === keys.length, 'add-init-key')
}

/** The rules for the PSKs of a Commit, taken together. */
function pskList(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const psks = proposals.flatMap(({ proposal }) => (proposal.kind === 'psk' ? [proposal.psk] : []))
  const ids = psks.map(({ bytes }) => hex(bytes))
  return (
    // RFC 9420 §12.2
    brokenUnless(new Set(ids).size === ids.length, 'psk-repeated') ??
    // RFC 9420 §12.4.3.1: a joiner by this Commit refuses a second one
    brokenUnless(psks.filter(foundsGroup).length <= 1, 'psk-usage-once')
  )
}

function pathPresence(proposals: readonly SentProposal[], { path }: Commit): BrokenRule | undefined {
  const required = proposals.length === 0 || proposals.some(({ proposal }) => PATH_REQUIRED.has(proposal.kind))
  return brokenUnless(path !== undefined || !required, 'path-required')
}

function selfRemoveByReference({ proposal, byReference }: SentProposal): BrokenRule | undefined {
  return brokenUnless(proposal.kind !== 'self-remove' || byReference, 'self-remove-by-reference')
}

function noExternalInit(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'external-init') === 0, 'external-init-of-member')
}

function updateByCommitter(proposals: readonly SentProposal[], committer: number): BrokenRule | undefined {
  const own = proposals.some((sent) => sent.proposal.kind === 'update' && changedLeaf(sent) === committer)
  return brokenUnless(!own, 'update-by-committer')
}

function removesCommitter(proposals: readonly SentProposal[], committer: number): BrokenRule | undefined {
  const removed = proposals.some((sent) => sent.proposal.kind !== 'update' && changedLeaf(sent) === committer)
  return brokenUnless(!removed, 'remove-committer')
}

function oneGroupContextExtensions(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'group-context-extensions') <= 1, 'one-group-context-extensions')
}

function reInitAlone(proposals: readonly SentProposal[]): BrokenRule | undefined {
  return brokenUnless(count(proposals, 'reinit') === 0 || proposals.length === 1, 'reinit-alone')
}
