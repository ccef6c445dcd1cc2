import { writeExtensions, type Extension } from '../../../src/protocol/mls/structures/extension.js'
import type { LeafNode } from '../../../src/protocol/mls/structures/leaf-node.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'

/** Proposals as bytes (RFC 9420 §12.1), for messages that no client would write. */
export const proposals = {
  add: (keyPackage: Uint8Array) => new TlsWriter().uint16(1).raw(keyPackage).written(),
  update: (leaf: LeafNode) => new TlsWriter().uint16(2).raw(leaf.bytes).written(),
  remove: (leafIndex: number) => new TlsWriter().uint16(3).uint32(leafIndex).written(),
  externalPsk: (id: string, nonceBytes = 32) =>
    new TlsWriter().uint16(4).uint8(1).opaque(Buffer.from(id)).opaque(new Uint8Array(nonceBytes)).written(),
  /** `usage`: 1 application, 2 reinit, 3 branch. */
  resumptionPsk: (usage: number, groupId: string) =>
    new TlsWriter().uint16(4).uint8(2).uint8(usage).opaque(Buffer.from(groupId)).uint64(1n).opaque(new Uint8Array(32)).written(),
  reInit: (groupId: string, version = 1) => {
    const writer = new TlsWriter().uint16(5).opaque(Buffer.from(groupId)).uint16(version).uint16(1)
    writeExtensions(writer, [])
    return writer.written()
  },
  externalInit: (kemOutput = new Uint8Array(32).fill(9)) => new TlsWriter().uint16(6).opaque(kemOutput).written(),
  groupContextExtensions: (extensions: readonly Extension[]) => {
    const writer = new TlsWriter().uint16(7)
    writeExtensions(writer, extensions)
    return writer.written()
  },
  appDataUpdate: (component: number, update: Uint8Array) => new TlsWriter().uint16(8).uint16(component).uint8(1).opaque(update).written(),
  appDataRemoval: (component: number) => new TlsWriter().uint16(8).uint16(component).uint8(2).written(),
  appEphemeral: (component: number) => new TlsWriter().uint16(9).uint16(component).opaque(new Uint8Array(3)).written(),
  selfRemove: () => new TlsWriter().uint16(0x000a).written(),
}

/** ProposalOrRef (RFC 9420 §12.4). */
export function byValue(proposal: Uint8Array): Uint8Array {
  return new TlsWriter().uint8(1).raw(proposal).written()
}

export function byReference(ref: Uint8Array): Uint8Array {
  return new TlsWriter().uint8(2).opaque(ref).written()
}
