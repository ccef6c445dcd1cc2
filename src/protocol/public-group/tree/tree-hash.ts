import { TlsWriter } from '../../tls/writer.js'
import { digest, type HashAlgorithm } from '../../mls/hashes.js'
import type { LeafNode } from '../../mls/structures/leaf-node.js'
import type { ParentNode } from '../../mls/structures/ratchet-tree.js'

const LEAF = 1
const PARENT = 2

/** One for all hashes, which are computed one at a time: a writer of its own for each would cost more than the hash. */
const scratch = new TlsWriter()

/** TreeHashInput of a leaf (RFC 9420 §7.8), hashed. */
export function leafHash(algorithm: HashAlgorithm, leafIndex: number, leaf: LeafNode | undefined): Uint8Array {
  const input = scratch.reset().uint8(LEAF).uint32(leafIndex)
  return digest(algorithm, input.optional(leaf, (writer, { bytes }) => writer.raw(bytes)).peek())
}

/** ParentHashInput (RFC 9420 §7.9), hashed. */
export function parentHash(
  algorithm: HashAlgorithm,
  { encryptionKey, parentHash: hashAbove }: Pick<ParentNode, 'encryptionKey' | 'parentHash'>,
  originalSiblingTreeHash: Uint8Array,
): Uint8Array {
  return digest(algorithm, scratch.reset().opaque(encryptionKey).opaque(hashAbove).opaque(originalSiblingTreeHash).peek())
}

/** TreeHashInput of an intermediate node (RFC 9420 §7.8), hashed. */
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
