import { TlsWriter } from '../../tls/writer.js'
import { finish, type Steps } from '../../steps.js'
import type { HashAlgorithm } from '../../mls/hashes.js'
import { sameBytes } from '../../bytes.js'
import { identityBytes } from '../../mls/structures/credential.js'
import type { LeafNode } from '../../mls/structures/leaf-node.js'
import type { ParentNode, TreeNodes } from '../../mls/structures/ratchet-tree.js'
import { PersistentArray, type PersistentArrayEdit } from './persistent-array.js'
import { intermediateHash, leafHash } from './tree-hash.js'
import { EMPTY_INDEX, TreeIndexEdit, type TreeIndex } from './tree-index/tree-index.js'
import { fullLeafCount, isLeaf, leafNodeIndex, left, parent, right, root } from './tree-math.js'

/**
 * An immutable ratchet tree (RFC 9420 §4) with the tree hash of every node. Leaves are named by leaf index, any node by its
 * node index (Appendix C); undefined is a blank node.
 */
export class Tree {
  constructor(
    readonly algorithm: HashAlgorithm,
    /** Their number is a power of two. */
    readonly leaves: PersistentArray<LeafNode>,
    readonly parents: PersistentArray<ParentNode>,
    readonly hashes: PersistentArray<Uint8Array>,
    readonly index: TreeIndex,
  ) {}

  /** Bytes of memory that it takes, roughly. */
  get weight(): number {
    return this.index.weight
  }

  get leafCount(): number {
    return this.leaves.length
  }

  /** Hashes the whole tree: 2n hashes. */
  static of(algorithm: HashAlgorithm, nodes: TreeNodes): Tree {
    return finish(Tree.inSteps(algorithm, nodes))
  }

  /** The same by steps of one node, if `joinedHashes` of a tree with the same nodes is given; else the last step hashes them all. */
  static *inSteps(algorithm: HashAlgorithm, { leaves, parents }: TreeNodes, hashes?: Uint8Array): Steps<Tree> {
    const leafCount = fullLeafCount(leaves.length)
    const [grownLeaves, grownParents] = [PersistentArray.of(leaves).edit(), PersistentArray.of(parents).edit()]
    grownLeaves.resize(leafCount)
    grownParents.resize(leafCount - 1)
    const index = new TreeIndexEdit(EMPTY_INDEX)
    index.resized(0, leafCount)
    for (const [leafIndex, leaf] of leaves.entries()) {
      index.leafChanged(leafIndex, undefined, leaf)
      yield
    }
    for (const parent of parents) {
      index.parentChanged(undefined, parent)
      yield
    }
    const known = yield* splitHashes(hashes, 2 * leafCount - 1)
    const tree = new Tree(algorithm, grownLeaves.done(), grownParents.done(), known, index.done())
    return new TreeDraft(tree).seal()
  }

  leaf(leafIndex: number): LeafNode | undefined {
    return this.leaves.at(leafIndex)
  }

  parent(node: number): ParentNode | undefined {
    return this.parents.at((node - 1) / 2)
  }

  isBlank(node: number): boolean {
    return (isLeaf(node) ? this.leaf(node / 2) : this.parent(node)) === undefined
  }

  /** Whether a node has no members below. */
  isEmpty(node: number): boolean {
    return this.index.occupancy.isEmpty(node)
  }

  get hash(): Uint8Array {
    return this.hashes.at(root(this.leafCount)) ?? new Uint8Array()
  }

  /** The leaves whose credentials name this identity, in no order. */
  leavesNamed(identity: Uint8Array): number[] {
    return this.index.identities.candidates(identity).filter((leafIndex) => {
      const credential = this.leaf(leafIndex)?.credential
      const named = credential && identityBytes(credential)
      return named !== undefined && sameBytes(named, identity)
    })
  }

  /** The hashes of all nodes, one after the other. */
  joinedHashes(): Uint8Array {
    const joined = new TlsWriter()
    for (const hash of this.hashes.toArray()) joined.raw(hash ?? new Uint8Array())
    return joined.written()
  }

  nodes(): TreeNodes {
    return { leaves: this.leaves.toArray(), parents: this.parents.toArray() }
  }
}

function* splitHashes(joined: Uint8Array | undefined, count: number): Steps<PersistentArray<Uint8Array>> {
  const hashes: Uint8Array[] = []
  const size = joined === undefined ? 0 : joined.length / count
  for (let node = 0; joined !== undefined && node < count; node++) {
    hashes.push(joined.subarray(node * size, (node + 1) * size))
    yield
  }
  const edit = PersistentArray.of(hashes).edit()
  edit.resize(count)
  return edit.done()
}

/**
 * A tree while a Commit is applied. A change clears the hashes of the node and of all above it, so that sealing hashes only
 * what changed: O(log n) for a path.
 */
export class TreeDraft {
  readonly algorithm: HashAlgorithm
  private count: number
  private readonly index: TreeIndexEdit
  private readonly leaves: PersistentArrayEdit<LeafNode>
  private readonly parents: PersistentArrayEdit<ParentNode>
  private readonly hashes: PersistentArrayEdit<Uint8Array>

  constructor(tree: Tree) {
    this.algorithm = tree.algorithm
    this.count = tree.leafCount
    this.index = new TreeIndexEdit(tree.index)
    this.leaves = tree.leaves.edit()
    this.parents = tree.parents.edit()
    this.hashes = tree.hashes.edit()
  }

  get leafCount(): number {
    return this.count
  }

  leaf(leafIndex: number): LeafNode | undefined {
    return this.leaves.at(leafIndex)
  }

  parent(node: number): ParentNode | undefined {
    return this.parents.at((node - 1) / 2)
  }

  isBlank(node: number): boolean {
    return (isLeaf(node) ? this.leaf(node / 2) : this.parent(node)) === undefined
  }

  setLeaf(leafIndex: number, leaf: LeafNode | undefined): void {
    this.index.leafChanged(leafIndex, this.leaf(leafIndex), leaf)
    this.leaves.set(leafIndex, leaf)
    this.clearHashes(leafNodeIndex(leafIndex))
  }

  setParent(node: number, parent: ParentNode | undefined): void {
    this.index.parentChanged(this.parent(node), parent)
    this.parents.set((node - 1) / 2, parent)
    this.clearHashes(node)
  }

  extend(): void {
    this.resize(this.count * 2)
  }

  truncateTo(leafCount: number): void {
    for (let gone = leafCount; gone < this.count; gone++) {
      this.index.leafChanged(gone, this.leaf(gone), undefined)
      this.index.parentChanged(this.parent(2 * gone - 1), undefined)
    }
    this.resize(leafCount)
  }

  /** The tree hash of a subtree (RFC 9420 §7.8). Recurses to the depth of the tree, at most 17. */
  hash(node: number): Uint8Array {
    const cached = this.hashes.at(node)
    if (cached !== undefined) return cached
    const hash = isLeaf(node)
      ? leafHash(this.algorithm, node / 2, this.leaf(node / 2))
      : intermediateHash(this.algorithm, this.parent(node), this.hash(left(node)), this.hash(right(node)))
    this.hashes.set(node, hash)
    return hash
  }

  /** Whether the resolution of a node is empty (RFC 9420 §4.1.1): without members below, it has no key either. */
  isEmpty(node: number): boolean {
    return this.index.occupancy.isEmpty(node)
  }

  /** The leftmost blank leaf from `from` on. */
  firstBlank(from: number): number | undefined {
    return this.index.occupancy.firstBlank(from)
  }

  /** The rightmost leaf that is not blank. */
  lastOccupied(): number | undefined {
    return this.index.occupancy.lastOccupied()
  }

  /** How many nodes have this encryption key. */
  countEncryptionKey(key: Uint8Array): number {
    return this.index.countEncryptionKey(key)
  }

  /** The draft must not be used afterwards. */
  seal(): Tree {
    this.hash(root(this.count))
    return new Tree(this.algorithm, this.leaves.done(), this.parents.done(), this.hashes.done(), this.index.done())
  }

  /** Where a hash is missing already, so are all above it. */
  private clearHashes(from: number): void {
    for (let node = from; this.hashes.at(node) !== undefined; node = parent(node)) {
      this.hashes.set(node, undefined)
      if (node === root(this.count)) return
    }
  }

  private resize(leafCount: number): void {
    this.index.resized(this.count, leafCount)
    this.count = leafCount
    this.leaves.resize(leafCount)
    this.parents.resize(leafCount - 1)
    this.hashes.resize(2 * leafCount - 1)
  }
}
