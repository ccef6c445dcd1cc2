import { PersistentArray, type PersistentArrayEdit } from '../persistent-array.js'
import { isLeaf, leafNodeIndex, left, level, parent, right, root } from '../tree-math.js'

/** How full the leaves below a node are; nodes beyond the array are empty. */
const EMPTY = 0
const PARTLY = 1
const FULL = 2

/**
 * Which subtrees have members, so that a blank leaf, the last member and an empty subtree are found by walking down or looking
 * once, where the tree itself would have to be searched. Immutable.
 */
export class Occupancy {
  /** The occupancy of a tree of one blank leaf. */
  static readonly none = new Occupancy(1, PersistentArray.of<number>([undefined]))

  constructor(
    private readonly leafCount: number,
    private readonly fillings: PersistentArray<number>,
  ) {}

  /** Whether no leaf below a node is occupied. */
  isEmpty(node: number): boolean {
    return (this.fillings.at(node) ?? EMPTY) === EMPTY
  }

  edit(): OccupancyEdit {
    return new OccupancyEdit(this.leafCount, this.fillings.edit())
  }
}

/** A changeable copy of an `Occupancy`. Each change and each look-up walks one path of the tree. */
export class OccupancyEdit {
  constructor(
    private leafCount: number,
    private readonly fillings: PersistentArrayEdit<number>,
  ) {}

  /** Whether no leaf below a node is occupied. */
  isEmpty(node: number): boolean {
    return this.filling(node) === EMPTY
  }

  /** The leftmost leaf from `from` on that is blank. */
  firstBlank(from: number): number | undefined {
    return this.find(root(this.leafCount), from)
  }

  /** The rightmost leaf that is not blank. */
  lastOccupied(): number | undefined {
    let node = root(this.leafCount)
    if (this.isEmpty(node)) return undefined
    while (!isLeaf(node)) node = this.isEmpty(right(node)) ? left(node) : right(node)
    return node / 2
  }

  set(leafIndex: number, occupied: boolean): void {
    let node = leafNodeIndex(leafIndex)
    let filling = occupied ? FULL : EMPTY
    while (this.filling(node) !== filling) {
      this.fillings.set(node, filling)
      if (node === root(this.leafCount)) return
      node = parent(node)
      filling = this.joined(node)
    }
  }

  /** To half or twice as many leaves, any number of times. What goes must be blank. */
  resize(leafCount: number): void {
    const before = this.leafCount
    this.leafCount = leafCount
    this.fillings.resize(2 * leafCount - 1)
    for (let leaves = 2 * before; leaves <= leafCount; leaves *= 2) this.fillings.set(root(leaves), this.joined(root(leaves)))
  }

  /** The edit must not be used afterwards. */
  done(): Occupancy {
    return new Occupancy(this.leafCount, this.fillings.done())
  }

  private filling(node: number): number {
    return this.fillings.at(node) ?? EMPTY
  }

  private joined(node: number): number {
    const [one, other] = [this.filling(left(node)), this.filling(right(node))]
    return one === other ? one : PARTLY
  }

  private find(node: number, from: number): number | undefined {
    if (this.filling(node) === FULL || lastLeafBelow(node) < from) return undefined
    if (isLeaf(node)) return node / 2
    return this.find(left(node), from) ?? this.find(right(node), from)
  }
}

function lastLeafBelow(node: number): number {
  return (node + 2 ** level(node) - 1) / 2
}
