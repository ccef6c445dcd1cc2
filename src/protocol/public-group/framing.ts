import { broken, brokenUnless, type BrokenRule } from '../mls/rules.js'
import { decodeExternalSenders } from '../mls/external-senders.js'
import { hashBytes } from '../mls/hashes.js'
import { sameBytes } from '../bytes.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from '../mls/signature.js'
import { EXTENSION_TYPES } from '../mls/structures/extension.js'
import type { Proposal } from '../mls/structures/proposal.js'
import type { PublicMessage } from '../mls/structures/public-message.js'
import { TlsWriter } from '../tls/writer.js'
import { decodedExtension } from './rules/group-extensions.js'
import type { PublicGroupState } from './state.js'

/** RFC 9420 §12.1.8, and what draft-ietf-mls-extensions adds. */
const EXTERNAL_PROPOSALS: ReadonlySet<Proposal['kind']> = new Set([
  'add',
  'remove',
  'psk',
  'reinit',
  'group-context-extensions',
  'app-data-update',
  'app-ephemeral',
])

/** RFC 9420 §8.1: a uint64. */
const MAX_EPOCH = 2n ** 64n - 1n

type SenderKey = { readonly kind: 'key'; readonly key: Uint8Array } | ({ readonly kind: 'broken' } & BrokenRule)

/** The rules for a handshake as such: its group, its epoch, its sender and the sender's signature. Undefined if all hold; never rejects. */
export async function framing(state: PublicGroupState, message: PublicMessage): Promise<BrokenRule | undefined> {
  return place(state, message) ?? tagLengths(state, message) ?? (await senderSignature(state, message))
}

/** RFC 9420 §6, §8.1, §12.4.2: a handshake is of this group and of this epoch. */
export function place({ groupContext }: PublicGroupState, { groupId, epoch }: PublicMessage): BrokenRule | undefined {
  return (
    brokenUnless(sameBytes(groupId, groupContext.groupId), 'group-id') ??
    brokenUnless(epoch === groupContext.epoch, 'epoch') ??
    brokenUnless(epoch < MAX_EPOCH, 'epoch-exhausted')
  )
}

/** RFC 9420 §6.1, §6.2: the tags are MACs of the suite's hash. Their values only members can check. */
function tagLengths({ groupContext }: PublicGroupState, { content, membershipTag }: PublicMessage): BrokenRule | undefined {
  const length = hashBytes(groupContext.cipherSuite)
  return (
    brokenUnless(membershipTag === undefined || membershipTag.length === length, 'membership-tag') ??
    brokenUnless(content.kind !== 'commit' || content.confirmationTag.length === length, 'confirmation-tag')
  )
}

/** RFC 9420 §6.1. */
async function senderSignature(state: PublicGroupState, message: PublicMessage): Promise<BrokenRule | undefined> {
  const sender = senderKey(state, message)
  if (sender.kind === 'broken') return sender
  const scheme = SCHEME_OF_SUITE.get(state.groupContext.cipherSuite)
  const content = framedContentTbs(state, message)
  const valid = scheme !== undefined && (await verifyWithLabel(scheme, sender.key, 'FramedContentTBS', content, message.signature))
  return brokenUnless(valid, 'signature')
}

/** FramedContentTBS (RFC 9420 §6.1): members and joiners sign the GroupContext too, outsiders cannot know it. */
function framedContentTbs(state: PublicGroupState, message: PublicMessage): Uint8Array {
  const knowsGroup = message.sender.kind === 'member' || message.sender.kind === 'new-member-commit'
  return knowsGroup ? new TlsWriter().raw(message.tbs).raw(state.groupContext.bytes).written() : message.tbs
}

/** RFC 9420 §6.1: whose key signs depends on the kind of sender, each of which may send certain contents only. */
function senderKey(state: PublicGroupState, { sender, content }: PublicMessage): SenderKey {
  switch (sender.kind) {
    case 'member':
      return keyOr(state.tree.leaf(sender.leafIndex)?.signatureKey, 'sender-is-member')
    case 'external':
      if (content.kind !== 'proposal' || !EXTERNAL_PROPOSALS.has(content.proposal.kind)) return noKey('sender-content')
      return keyOr(externalSenderKey(state, sender.senderIndex), 'external-sender')
    case 'new-member-proposal':
      if (content.kind !== 'proposal' || content.proposal.kind !== 'add') return noKey('sender-content')
      return { kind: 'key', key: content.proposal.keyPackage.leafNode.signatureKey }
    case 'new-member-commit':
      if (content.kind !== 'commit') return noKey('sender-content')
      return keyOr(content.path?.leafNode.signatureKey, 'external-commit-path')
  }
}

function externalSenderKey({ groupContext }: PublicGroupState, senderIndex: number): Uint8Array | undefined {
  return decodedExtension(groupContext.extensions, EXTENSION_TYPES.externalSenders, decodeExternalSenders)?.[senderIndex]?.signatureKey
}

function keyOr(key: Uint8Array | undefined, rule: BrokenRule['rule']): SenderKey {
  return key === undefined ? noKey(rule) : { kind: 'key', key }
}

function noKey(rule: BrokenRule['rule']): SenderKey {
  return { kind: 'broken', ...broken(rule) }
}
