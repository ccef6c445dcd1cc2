import { writeExtensions, type Extension } from '../../../src/protocol/mls/structures/extension.js'
import type { LeafNode } from '../../../src/protocol/mls/structures/leaf-node.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'

/** Proposals as bytes (RFC 9420 §12.1), for messages that no client would write. */
export const proposals = {
  add: (keyPackage: Uint8Array) => new TlsWriter().uint16(1).raw(keyPackage).written(),
  update: (leaf: LeafNode) => new TlsWriter().uint16(2).raw(leaf.bytes).written(),
  remove: (leafIndex: number) => new TlsWriter().uint16(3).uint32(leafIndex).written(),
  externalPsk: (id: string) => new TlsWriter().uint16(4).uint8(1).opaque(Buffer.from(id)).opaque(new Uint8Array(32)).written(),
  reInit: (groupId: string) => {
    const writer = new TlsWriter().uint16(5).opaque(Buffer.from(groupId)).uint16(1).uint16(1)
    writeExtensions(writer, [])
    return writer.written()
  },
  externalInit: () => new TlsWriter().uint16(6).opaque(new Uint8Array(32)).written(),
  groupContextExtensions: (extensions: Extension[]) => {
    const writer = new TlsWriter().uint16(7)
    writeExtensions(writer, extensions)
    return writer.written()
  },
  selfRemove: () => new TlsWriter().uint16(0x000a).written(),
}

/** ProposalOrRef (RFC 9420 §12.4). */
export function byValue(proposal: Uint8Array): Uint8Array {
  return new TlsWriter().uint8(1).raw(proposal).written()
}

export function byReference(ref: Uint8Array): Uint8Array {
  return new TlsWriter().uint8(2).opaque(ref).written()
}
