import { writeCredential } from '../../../src/protocol/mls/structures/credential.js'
import { writeExtensions } from '../../../src/protocol/mls/structures/extension.js'
import type { GroupInfo } from '../../../src/protocol/mls/structures/group-info.js'
import type { KeyPackage } from '../../../src/protocol/mls/structures/key-package.js'
import type { LeafNode } from '../../../src/protocol/mls/structures/leaf-node.js'
import type { PrivateMessage } from '../../../src/protocol/mls/structures/private-message.js'
import { PROPOSAL_TYPES, type PreSharedKeyId, type Proposal } from '../../../src/protocol/mls/structures/proposal.js'
import type { Sender } from '../../../src/protocol/mls/structures/public-message.js'
import type { TreeNodes } from '../../../src/protocol/mls/structures/ratchet-tree.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'

/**
 * Encoders that work from decoded fields alone, never from the slices that decoding keeps: they show that no field is lost or
 * misread, and let tests write what no client would.
 */

export function encodeLeafNode(leaf: LeafNode): Uint8Array {
  const writer = new TlsWriter().opaque(leaf.encryptionKey).opaque(leaf.signatureKey)
  writeCredential(writer, leaf.credential)
  const { versions, cipherSuites, extensions, proposals, credentials } = leaf.capabilities
  for (const list of [versions, cipherSuites, extensions, proposals, credentials]) {
    writer.vector(list, (item, value) => item.uint16(value))
  }
  writeSource(writer, leaf)
  writeExtensions(writer, leaf.extensions)
  return writer.opaque(leaf.signature).written()
}

export function encodeKeyPackage(keyPackage: KeyPackage): Uint8Array {
  const writer = new TlsWriter().uint16(keyPackage.version).uint16(keyPackage.cipherSuite).opaque(keyPackage.initKey)
  writer.raw(encodeLeafNode(keyPackage.leafNode))
  writeExtensions(writer, keyPackage.extensions)
  return writer.opaque(keyPackage.signature).written()
}

export function encodeGroupInfo({ groupContext, extensions, confirmationTag, signer, signature }: GroupInfo): Uint8Array {
  const writer = new TlsWriter().uint16(groupContext.version).uint16(groupContext.cipherSuite).opaque(groupContext.groupId)
  writer.uint64(groupContext.epoch).opaque(groupContext.treeHash).opaque(groupContext.confirmedTranscriptHash)
  writeExtensions(writer, groupContext.extensions)
  writeExtensions(writer, extensions)
  return writer.opaque(confirmationTag).uint32(signer).opaque(signature).written()
}

export function encodePrivateMessage(message: PrivateMessage): Uint8Array {
  const contentType = { application: 1, proposal: 2, commit: 3 }[message.contentType]
  const writer = new TlsWriter().opaque(message.groupId).uint64(message.epoch).uint8(contentType)
  return writer.opaque(message.authenticatedData).opaque(message.encryptedSenderData).opaque(message.ciphertext).written()
}

export function encodeTree({ leaves, parents }: TreeNodes): Uint8Array {
  const writer = new TlsWriter()
  writer.vector([...leaves.keys()], (item, index) => {
    if (index > 0) {
      item.optional(parents[index - 1], (node, { encryptionKey, parentHash, unmergedLeaves }) => {
        node.uint8(2).opaque(encryptionKey).opaque(parentHash)
        node.vector(unmergedLeaves, (entry, leafIndex) => entry.uint32(leafIndex))
      })
    }
    item.optional(leaves[index], (node, leaf) => node.uint8(1).raw(encodeLeafNode(leaf)))
  })
  return writer.written()
}

export function encodeProposal(proposal: Proposal): Uint8Array {
  const writer = new TlsWriter().uint16(PROPOSAL_TYPES[proposal.kind])
  switch (proposal.kind) {
    case 'add':
      return writer.raw(encodeKeyPackage(proposal.keyPackage)).written()
    case 'update':
      return writer.raw(encodeLeafNode(proposal.leafNode)).written()
    case 'remove':
      return writer.uint32(proposal.removed).written()
    case 'psk':
      return writer.raw(encodePskId(proposal.psk)).written()
    case 'reinit':
      writer.opaque(proposal.groupId).uint16(proposal.version).uint16(proposal.cipherSuite)
      writeExtensions(writer, proposal.extensions)
      return writer.written()
    case 'external-init':
      return writer.opaque(proposal.kemOutput).written()
    case 'group-context-extensions':
      writeExtensions(writer, proposal.extensions)
      return writer.written()
    case 'app-data-update':
      writer.uint16(proposal.component).uint8(proposal.update === undefined ? 2 : 1)
      return (proposal.update === undefined ? writer : writer.opaque(proposal.update)).written()
    case 'app-ephemeral':
      return writer.uint16(proposal.component).opaque(proposal.data).written()
    case 'self-remove':
      return writer.written()
  }
}

export function writeSender(writer: TlsWriter, sender: Sender): TlsWriter {
  switch (sender.kind) {
    case 'member':
      return writer.uint8(1).uint32(sender.leafIndex)
    case 'external':
      return writer.uint8(2).uint32(sender.senderIndex)
    case 'new-member-proposal':
      return writer.uint8(3)
    case 'new-member-commit':
      return writer.uint8(4)
  }
}

function encodePskId({ source, nonce }: PreSharedKeyId): Uint8Array {
  const writer = new TlsWriter()
  if (source.kind === 'external') writer.uint8(1).opaque(source.id)
  else writer.uint8(2).uint8(source.usage).opaque(source.groupId).uint64(source.epoch)
  return writer.opaque(nonce).written()
}

function writeSource(writer: TlsWriter, { source }: LeafNode): void {
  if (source.kind === 'key-package') writer.uint8(1).uint64(source.notBefore).uint64(source.notAfter)
  else if (source.kind === 'update') writer.uint8(2)
  else writer.uint8(3).opaque(source.parentHash)
}
