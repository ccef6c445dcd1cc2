import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { hashBytes } from '../../mls/hashes.js'
import { AEAD_TAG_BYTES, isUsableHpkeKey, kemOutputBytes } from '../../mls/hpke-key.js'
import type { UpdatePath } from '../../mls/structures/commit.js'
import { resolution, filteredDirectPath, type PathStep } from '../tree/resolution.js'
import { hex } from '../../bytes.js'
import { leafNodeIndex } from '../tree/tree-math.js'
import type { TreeDraft } from '../tree/tree.js'

/** Where a path goes: into the tree that the proposals left (RFC 9420 §12.4.2), before it is merged. */
export interface PathPlace {
  readonly suite: number
  readonly tree: TreeDraft
  readonly committer: number
  /** Leaves that the same Commit adds: they get the secret by Welcome. */
  readonly added: readonly number[]
}

/** The rules for an UpdatePath that need the tree as it is before the path. What it encrypts only members can check. */
export function pathInTree(place: PathPlace, path: UpdatePath): BrokenRule | undefined {
  const steps = filteredDirectPath(place.tree, place.committer)
  return (
    pathLength(steps, path) ??
    pathHpkeKeys(place, path) ??
    pathCiphertexts(place, steps, path) ??
    pathCiphertextSizes(place, path) ??
    pathKeys(place, path) ??
    pathKeysDistinct(path)
  )
}

/** RFC 9420 §7.6. */
function pathLength(steps: readonly PathStep[], { nodes }: UpdatePath): BrokenRule | undefined {
  return brokenUnless(steps.length === nodes.length, 'update-path-length')
}

/** RFC 9420 §7.6; the leaf's key is looked at with the leaf. */
function pathHpkeKeys({ suite }: PathPlace, { nodes }: UpdatePath): BrokenRule | undefined {
  return brokenUnless(
    nodes.every(({ encryptionKey }) => isUsableHpkeKey(suite, encryptionKey)),
    'update-path-hpke-key',
  )
}

/** RFC 9420 §7.6: as many as the resolution of the copath node has nodes, new members left out. */
function pathCiphertexts({ tree, added }: PathPlace, steps: readonly PathStep[], { nodes }: UpdatePath): BrokenRule | undefined {
  const isNew = new Set(added.map(leafNodeIndex))
  const holds = steps.every(({ copathChild }, at) => {
    const receivers = resolution(tree, copathChild).filter((node) => !isNew.has(node))
    return receivers.length === nodes[at]?.ciphertexts
  })
  return brokenUnless(holds, 'update-path-ciphertexts')
}

/** RFC 9420 §7.4, §7.6: a path secret has KDF.Nh bytes. */
function pathCiphertextSizes({ suite }: PathPlace, { nodes }: UpdatePath): BrokenRule | undefined {
  const [kemOutput, ciphertext] = [kemOutputBytes(suite), hashBytes(suite) + AEAD_TAG_BYTES]
  const right = nodes.every(({ ciphertextSizes }) =>
    ciphertextSizes.every((size) => size.kemOutput === kemOutput && size.ciphertext === ciphertext),
  )
  return brokenUnless(right, 'update-path-ciphertext-size')
}

/** RFC 9420 §12.4.2: this covers the committer's present leaf, whose key has to change, too. */
function pathKeys({ tree }: PathPlace, path: UpdatePath): BrokenRule | undefined {
  return brokenUnless(
    keysOf(path).every((key) => tree.countEncryptionKey(key) === 0),
    'update-path-keys',
  )
}

/** RFC 9420 §12.4.3.1: a joiner would refuse the tree. */
function pathKeysDistinct(path: UpdatePath): BrokenRule | undefined {
  const keys = keysOf(path).map(hex)
  return brokenUnless(new Set(keys).size === keys.length, 'update-path-keys-distinct')
}

function keysOf({ leafNode, nodes }: UpdatePath): Uint8Array[] {
  return [leafNode.encryptionKey, ...nodes.map(({ encryptionKey }) => encryptionKey)]
}
