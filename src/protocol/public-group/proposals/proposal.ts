import { broken, brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { hashBytes, proposalRef } from '../../mls/hashes.js'
import { isUsableHpkeKey } from '../../mls/hpke-key.js'
import { keyPackageContent, keyPackageSignatures } from '../../mls/key-package-validation.js'
import { leafNodeContent, leafNodeSignature, leafNodeSource, type LifetimeLimits } from '../../mls/leaf-node-rules.js'
import { sameBytes } from '../../bytes.js'
import { type Proposal, NON_DEFAULT_PROPOSALS, PROPOSAL_TYPES } from '../../mls/structures/proposal.js'
import type { PublicMessage, Sender } from '../../mls/structures/public-message.js'
import { appDataUpdate, appDataUpdateAbsent, appDataUpdateFits } from './app-data.js'
import { framing } from '../framing.js'
import { groupExtensions } from '../rules/group-extensions.js'
import { type SentProposal, changedLeaf } from './pending-proposals.js'
import { refused, type PublicGroupState, type Refused } from '../state.js'
import { listsAll } from '../../mls/grease.js'

/** Far more than a group has members who leave at once; each one costs memory until the next Commit. */
const MAX_PENDING = 4096

/** RFC 9420 §8.4. */
const PSK_USAGE_APPLICATION = 1

/** Most bytes of a KeyPackage in an Add, and of a published one. */
export const MAX_KEY_PACKAGE_BYTES = 16 * 1024

/** `ref` is the ProposalRef (RFC 9420 §5.2) by which a Commit may name it. */
export type ProposalVerdict =
  { readonly kind: 'valid'; readonly ref: Uint8Array; readonly proposal: Proposal; readonly sender: Sender } | Refused

type OfKind<Kind extends Proposal['kind']> = Extract<Proposal, { kind: Kind }>

/**
 * Whether a Proposal message may wait in this epoch for a Commit (RFC 9420 §12.1). What depends on the proposals that it is
 * committed with, such as whether a key is unique, is judged with the Commit. Without `lifetimes` those are not checked.
 */
export async function validateProposal(
  state: PublicGroupState,
  message: PublicMessage,
  lifetimes?: LifetimeLimits,
): Promise<ProposalVerdict> {
  const { content, sender } = message
  const ref = proposalRef(state.groupContext.cipherSuite, message.authenticatedContent)
  if (content.kind !== 'proposal' || ref === undefined) return refused(broken('content-type'))
  const { proposal } = content
  const sent = { proposal, sender, byReference: true }
  const found =
    tooManyPending(state) ??
    (await framing(state, message)) ??
    loneProposal(proposal) ??
    proposalTypesSupported(state, [sent]) ??
    proposalContent(state, sent, lifetimes) ??
    appDataUpdateAbsent(state.groupContext.extensions, [sent]) ??
    appDataUpdateFits(state.groupContext.extensions, [sent]) ??
    (await proposalSignatures(state, sent))
  return found === undefined ? { kind: 'valid', ref, proposal, sender } : refused(found)
}

/** The server's own rule: a member cannot fill the memory of everybody who keeps this group's proposals (RFC 9420 §12.4). */
function tooManyPending({ pending }: PublicGroupState): BrokenRule | undefined {
  return brokenUnless(pending.size < MAX_PENDING, 'pending-proposals')
}

/** RFC 9420 §12.1.6: an ExternalInit makes sense in the external Commit only that it opens. */
function loneProposal(proposal: Proposal): BrokenRule | undefined {
  return brokenUnless(proposal.kind !== 'external-init', 'external-init-by-value')
}

/** The rules for a single proposal (RFC 9420 §12.1), but for signatures inside it. */
export function proposalContent(state: PublicGroupState, sent: SentProposal, lifetimes?: LifetimeLimits): BrokenRule | undefined {
  const { proposal } = sent
  const { groupContext } = state
  switch (proposal.kind) {
    case 'add':
      return addSize(proposal) ?? addSuite(state, proposal) ?? keyPackageContent(proposal.keyPackage, lifetimes)
    case 'update':
      return (
        leafNodeSource(proposal.leafNode, 'update') ??
        updateEncryptionKey(state, sent, proposal) ??
        leafNodeContent(groupContext.cipherSuite, proposal.leafNode)
      )
    case 'remove':
      return brokenUnless(state.tree.leaf(proposal.removed) !== undefined, 'remove-member')
    case 'psk':
      return pskNonce(state, proposal) ?? pskUsage(state, sent, proposal)
    case 'reinit':
      return brokenUnless(proposal.version >= groupContext.version, 'reinit-version')
    case 'external-init':
      return externalInitKemOutput(state, proposal)
    case 'group-context-extensions':
      return groupExtensions(proposal.extensions)
    case 'app-data-update':
      return appDataUpdate(proposal)
    case 'app-ephemeral':
    case 'self-remove':
      return undefined
  }
}

/** The signatures inside a proposal: of the KeyPackage that it adds, of the leaf that it sets. */
export async function proposalSignatures({ groupContext }: PublicGroupState, sent: SentProposal): Promise<BrokenRule | undefined> {
  const { proposal, sender } = sent
  if (proposal.kind === 'add') return keyPackageSignatures(proposal.keyPackage)
  if (proposal.kind !== 'update' || sender.kind !== 'member') return undefined
  const place = { groupId: groupContext.groupId, leafIndex: sender.leafIndex }
  return leafNodeSignature(groupContext.cipherSuite, proposal.leafNode, place)
}

/** The server's own rule: a KeyPackage that was not published here may be no larger than one that was. */
function addSize({ keyPackage }: OfKind<'add'>): BrokenRule | undefined {
  return brokenUnless(keyPackage.bytes.length <= MAX_KEY_PACKAGE_BYTES, 'key-package-size')
}

/** RFC 9420 §10.1: the KeyPackage is for the group's suite and version. */
function addSuite({ groupContext }: PublicGroupState, { keyPackage }: OfKind<'add'>): BrokenRule | undefined {
  const fits = keyPackage.cipherSuite === groupContext.cipherSuite && keyPackage.version === groupContext.version
  return brokenUnless(fits, 'add-cipher-suite')
}

/** RFC 9420 §7.3. */
function updateEncryptionKey({ tree }: PublicGroupState, { sender }: SentProposal, { leafNode }: OfKind<'update'>): BrokenRule | undefined {
  const before = sender.kind === 'member' ? tree.leaf(sender.leafIndex) : undefined
  return brokenUnless(before === undefined || !sameBytes(before.encryptionKey, leafNode.encryptionKey), 'update-encryption-key')
}

/** RFC 9420 §12.1.4. */
function pskNonce({ groupContext }: PublicGroupState, { psk }: OfKind<'psk'>): BrokenRule | undefined {
  return brokenUnless(psk.nonce.length === hashBytes(groupContext.cipherSuite), 'psk-nonce')
}

/** RFC 9420 §11.2, §11.3, §12.1.4: a group is reinitialized or branched off by the first Commit of who creates it, not by one who joins. */
function pskUsage({ groupContext }: PublicGroupState, { sender }: SentProposal, { psk }: OfKind<'psk'>): BrokenRule | undefined {
  return brokenUnless(!foundsGroup(psk) || (groupContext.epoch === 0n && sender.kind === 'member'), 'psk-usage')
}

/** RFC 9420 §12.1.6: what the KEMs encapsulate to is one of their public keys, and members refuse one of small order (RFC 9180 §7.1.4). */
function externalInitKemOutput({ groupContext }: PublicGroupState, { kemOutput }: OfKind<'external-init'>): BrokenRule | undefined {
  return brokenUnless(isUsableHpkeKey(groupContext.cipherSuite, kemOutput), 'external-init-kem-output')
}

/** Whether a PSK proves the group that a new one comes of. */
export function foundsGroup({ source }: OfKind<'psk'>['psk']): boolean {
  return source.kind === 'resumption' && source.usage !== PSK_USAGE_APPLICATION
}

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
