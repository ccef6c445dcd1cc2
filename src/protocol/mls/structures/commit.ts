import type { TlsReader } from '../../tls/reader.js'
import { readLeafNode, type LeafNode } from './leaf-node.js'
import { readProposalOrRef, type ProposalOrRef } from './proposal.js'

/** References to that many fit a Commit of half a megabyte. */
const MAX_PROPOSALS = 16_384
/** A path has one node per level of the tree. */
const MAX_PATH_NODES = 32

/** RFC 9420 §12.4. */
export interface Commit {
  readonly proposals: readonly ProposalOrRef[]
  readonly path: UpdatePath | undefined
}

/** RFC 9420 §7.6. */
export interface UpdatePath {
  readonly leafNode: LeafNode
  readonly nodes: readonly UpdatePathNode[]
}

/** RFC 9420 §7.6, with the encrypted path secrets counted and measured instead of kept. */
export interface UpdatePathNode {
  readonly encryptionKey: Uint8Array
  /** How many encrypted path secrets there are; the server can open none of them. */
  readonly ciphertexts: number
  /** Their lengths: one entry where all are alike, as in a right path, and two otherwise. */
  readonly ciphertextSizes: readonly HpkeCiphertextSize[]
}

/** The bytes of the two fields of an HPKECiphertext (RFC 9420 §7.6). */
export interface HpkeCiphertextSize {
  readonly kemOutput: number
  readonly ciphertext: number
}

/** Commit of RFC 9420 §12.4, of at most 16,384 proposals. @throws Malformed */
export function readCommit(reader: TlsReader): Commit {
  return { proposals: reader.vector(MAX_PROPOSALS, readProposalOrRef), path: reader.optional(readUpdatePath) }
}

/** UpdatePath of RFC 9420 §7.6, of at most 32 nodes. @throws Malformed */
export function readUpdatePath(reader: TlsReader): UpdatePath {
  return { leafNode: readLeafNode(reader), nodes: reader.vector(MAX_PATH_NODES, readUpdatePathNode) }
}

function readUpdatePathNode(reader: TlsReader): UpdatePathNode {
  const ciphertextSizes: HpkeCiphertextSize[] = []
  const encryptionKey = reader.opaque()
  const ciphertexts = reader.countVector((item) => noteSize(ciphertextSizes, readHpkeCiphertextSize(item)))
  return { encryptionKey, ciphertexts, ciphertextSizes }
}

/** Reads past an HPKECiphertext (RFC 9420 §7.6), `opaque kem_output<V>` and `opaque ciphertext<V>`. @throws Malformed */
export function readHpkeCiphertextSize(reader: TlsReader): HpkeCiphertextSize {
  return { kemOutput: reader.opaque().length, ciphertext: reader.opaque().length }
}

function noteSize(sizes: HpkeCiphertextSize[], size: HpkeCiphertextSize): void {
  const [first] = sizes
  if (first === undefined) sizes.push(size)
  else if (sizes.length === 1 && !(first.kemOutput === size.kemOutput && first.ciphertext === size.ciphertext)) sizes.push(size)
}
