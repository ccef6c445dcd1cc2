import { TlsWriter } from '../../tls/writer.js'
import { digest, type HashAlgorithm } from '../../mls/hashes.js'
import type { LeafNode } from '../../mls/structures/leaf-node.js'
import type { ParentNode } from '../../mls/structures/ratchet-tree.js'

const LEAF = 1
const PARENT = 2

/** One for all hashes, which are computed one at a time: a writer of its own for each would cost more than the hash. */
const scratch = new TlsWriter()

/** The tree hash of a leaf: TreeHashInput of RFC 9420 §7.8, hashed. Undefined is a blank leaf. */
export function leafHash(algorithm: HashAlgorithm, leafIndex: number, leaf: LeafNode | undefined): Uint8Array {
  const input = scratch.reset().uint8(LEAF).uint32(leafIndex)
  return digest(algorithm, input.optional(leaf, (writer, { bytes }) => writer.raw(bytes)).peek())
}

/** ParentHashInput of RFC 9420 §7.9, hashed: what the node below on the path has for a parent_hash. */
export function parentHash(
  algorithm: HashAlgorithm,
  { encryptionKey, parentHash: hashAbove }: Pick<ParentNode, 'encryptionKey' | 'parentHash'>,
  originalSiblingTreeHash: Uint8Array,
): Uint8Array {
  return digest(algorithm, scratch.reset().opaque(encryptionKey).opaque(hashAbove).opaque(originalSiblingTreeHash).peek())
}

/** The tree hash of an intermediate node: TreeHashInput of RFC 9420 §7.8, hashed. Undefined is a blank node. */
export function intermediateHash(
  algorithm: HashAlgorithm,
  node: ParentNode | undefined,
  leftHash: Uint8Array,
  rightHash: Uint8Array,
): Uint8Array {
  const input = scratch
    .reset()
    .uint8(PARENT)
    .optional(node, (writer, { bytes }) => writer.raw(bytes))
  return digest(algorithm, input.opaque(leftHash).opaque(rightHash).peek())
}
