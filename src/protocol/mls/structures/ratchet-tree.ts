import { finish, type Steps } from '../../steps.js'
import { decodeWholeInSteps, Malformed, TlsReader, type Decoded } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'
import { readLeafNode, type LeafNode } from './leaf-node.js'

/** 65,536 leaves: a blank node is one byte on the wire, so that bytes alone do not bound the memory a tree takes. */
const MAX_NODES = 2 ** 17 - 1
/** The most leaves of a tree that the server takes. */
export const MAX_LEAVES = 2 ** 16

const NODE_TYPES = { leaf: 1, parent: 2 } as const

/** The fields of a ParentNode (RFC 9420 §7.1). */
export interface ParentNodeFields {
  readonly encryptionKey: Uint8Array
  readonly parentHash: Uint8Array
  /** Leaf indices in increasing order. */
  readonly unmergedLeaves: readonly number[]
}

/** A ParentNode (RFC 9420 §7.1) and its encoding. */
export interface ParentNode extends ParentNodeFields {
  readonly bytes: Uint8Array
}

/** Nodes of the array of RFC 9420 Appendix C: leaf L at 2L, parents between; undefined is blank. */
export interface TreeNodes {
  readonly leaves: readonly (LeafNode | undefined)[]
  /** The parent at node index 2i + 1 is at i. */
  readonly parents: readonly (ParentNode | undefined)[]
}

/**
 * Decodes `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3), which is also the data of a ratchet_tree extension, of at most
 * 65,536 leaves. Never throws; hashes and signatures are not looked at.
 */
export function decodeRatchetTree(bytes: Uint8Array): Decoded<TreeNodes> {
  return finish(decodeRatchetTreeInSteps(bytes))
}

/** `decodeRatchetTree` by steps of one node. */
export function decodeRatchetTreeInSteps(bytes: Uint8Array): Steps<Decoded<TreeNodes>> {
  return decodeWholeInSteps(bytes, readRatchetTree)
}

/** `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3), which ends with the last leaf that is not blank. */
export function encodeRatchetTree(nodes: TreeNodes): Uint8Array {
  return finish(writeRatchetTree(new TlsWriter(), nodes)).written()
}

/** `encodeRatchetTree` into a writer, by steps of one node. */
export function writeRatchetTree(writer: TlsWriter, { leaves, parents }: TreeNodes): Steps<TlsWriter> {
  const nodes = Array.from({ length: 2 * (lastFilled(leaves) + 1) - 1 }, (_, index) => index)
  return writer.vectorInSteps(nodes, (item, index) => {
    if (index % 2 === 0) item.optional(leaves[index / 2], (node, leaf) => node.uint8(NODE_TYPES.leaf).raw(leaf.bytes))
    else item.optional(parents[(index - 1) / 2], (node, parent) => node.uint8(NODE_TYPES.parent).raw(parent.bytes))
  })
}

/** A ParentNode (RFC 9420 §7.1) of these fields, encoded. @throws Malformed where the unmerged leaves are not in increasing order */
export function makeParentNode(fields: ParentNodeFields): ParentNode {
  const writer = new TlsWriter().opaque(fields.encryptionKey).opaque(fields.parentHash)
  writer.vector(fields.unmergedLeaves, (item, leafIndex) => item.uint32(leafIndex))
  return readParentNode(new TlsReader(writer.written()))
}

/** Reads `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3) by steps of one node. @throws Malformed */
export function* readRatchetTree(reader: TlsReader): Steps<TreeNodes> {
  const leaves: (LeafNode | undefined)[] = []
  const parents: (ParentNode | undefined)[] = []
  yield* reader.vectorInSteps(MAX_NODES, (item) => {
    if (leaves.length === parents.length) leaves.push(item.optional(readLeaf))
    else parents.push(item.optional(readParent))
  })
  // The last node must not be blank; it cannot be a parent either, as a parent without leaves to its right has none at all.
  if (leaves.length === parents.length || leaves.at(-1) === undefined) throw new Malformed('the last node of the tree is no leaf')
  return { leaves, parents }
}

function readLeaf(reader: TlsReader): LeafNode {
  expectType(reader, NODE_TYPES.leaf)
  return readLeafNode(reader)
}

function readParent(reader: TlsReader): ParentNode {
  expectType(reader, NODE_TYPES.parent)
  return readParentNode(reader)
}

function readParentNode(reader: TlsReader): ParentNode {
  const start = reader.position
  const fields = {
    encryptionKey: reader.opaque(),
    parentHash: reader.opaque(),
    unmergedLeaves: reader.vector(MAX_LEAVES, (item) => item.uint32()),
  }
  if (!isIncreasing(fields.unmergedLeaves)) throw new Malformed('unmerged leaves are not in increasing order')
  return { ...fields, bytes: reader.since(start) }
}

function expectType(reader: TlsReader, expected: number): void {
  if (reader.uint8() !== expected) throw new Malformed('a node of the tree is of the wrong type')
}

function isIncreasing(indices: readonly number[]): boolean {
  return indices.every((index, at) => at === 0 || index > (indices[at - 1] ?? 0))
}

function lastFilled(leaves: readonly (LeafNode | undefined)[]): number {
  let last = leaves.length - 1
  while (last > 0 && leaves[last] === undefined) last--
  return last
}
