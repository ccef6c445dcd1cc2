import { brokenUnless, type BrokenRule } from '../mls/broken-rule.js'
import { decodeExternalSenders } from '../mls/external-senders.js'
import { sameBytes } from '../mls/same-bytes.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from '../mls/signature.js'
import { EXTENSION_TYPES, extensionData } from '../mls/structures/extension.js'
import type { Proposal } from '../mls/structures/proposal.js'
import type { PublicMessage } from '../mls/structures/public-message.js'
import { TlsWriter } from '../tls/writer.js'
import type { PublicGroupState } from './state.js'

/** RFC 9420 §12.1.8. */
const EXTERNAL_PROPOSALS: ReadonlySet<Proposal['kind']> = new Set(['add', 'remove', 'psk', 'reinit', 'group-context-extensions'])

type SenderKey = { readonly kind: 'key'; readonly key: Uint8Array } | ({ readonly kind: 'broken' } & BrokenRule)

/** The rules for a handshake as such: its group, its epoch, its sender and the sender's signature. */
export async function framing(state: PublicGroupState, message: PublicMessage): Promise<BrokenRule | undefined> {
  return place(state, message) ?? (await senderSignature(state, message))
}

/** RFC 9420 §6, §12.4.2: a handshake is of this group and of this epoch. */
export function place({ groupContext }: PublicGroupState, { groupId, epoch }: PublicMessage): BrokenRule | undefined {
  return (
    brokenUnless(sameBytes(groupId, groupContext.groupId), 'group-id', '6') ?? brokenUnless(epoch === groupContext.epoch, 'epoch', '12.4.2')
  )
}

/** RFC 9420 §6.1. */
async function senderSignature(state: PublicGroupState, message: PublicMessage): Promise<BrokenRule | undefined> {
  const sender = senderKey(state, message)
  if (sender.kind === 'broken') return sender
  const scheme = SCHEME_OF_SUITE.get(state.groupContext.cipherSuite)
  const content = framedContentTbs(state, message)
  const valid = scheme !== undefined && (await verifyWithLabel(scheme, sender.key, 'FramedContentTBS', content, message.signature))
  return brokenUnless(valid, 'signature', '6.1')
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
      return keyOr(state.tree.leaf(sender.leafIndex)?.signatureKey, 'sender-is-member', '6.1')
    case 'external':
      if (content.kind !== 'proposal' || !EXTERNAL_PROPOSALS.has(content.proposal.kind)) return broken('sender-content', '12.1.8')
      return keyOr(externalSenderKey(state, sender.senderIndex), 'external-sender', '12.1.8.1')
    case 'new-member-proposal':
      if (content.kind !== 'proposal' || content.proposal.kind !== 'add') return broken('sender-content', '6.1')
      return { kind: 'key', key: content.proposal.keyPackage.leafNode.signatureKey }
    case 'new-member-commit':
      if (content.kind !== 'commit') return broken('sender-content', '6.1')
      return keyOr(content.path?.leafNode.signatureKey, 'external-commit-path', '12.4.3.2')
  }
}

function externalSenderKey({ groupContext }: PublicGroupState, senderIndex: number): Uint8Array | undefined {
  const data = extensionData(groupContext.extensions, EXTENSION_TYPES.externalSenders)
  const senders = data && decodeExternalSenders(data)
  return senders?.kind === 'decoded' ? senders.value[senderIndex]?.signatureKey : undefined
}

function keyOr(key: Uint8Array | undefined, rule: string, section: string): SenderKey {
  return key === undefined ? broken(rule, section) : { kind: 'key', key }
}

function broken(rule: string, section: string): SenderKey {
  return { kind: 'broken', rule, section }
}
