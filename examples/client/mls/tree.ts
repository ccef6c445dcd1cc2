import type { Node, RatchetTree } from 'ts-mls'
import { decodeRatchetTree, encodeRatchetTree } from 'ts-mls/ratchetTree.js'

/**
 * ts-mls 1.6.4 refuses valid trees: when it checks unmerged leaves (RFC 9420 §7.9.2) it wants *equal* lists in all ancestors of
 * a leaf, where a node may well list more leaves than one below it. Everything else that it checks is right, so its
 * validation, which is the first walk over `entries()`, gets to see no unmerged leaves; all later reads see the tree as it is.
 */
class ReceivedTree extends Array<Node | undefined> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }
  #validated = false;

  override *entries(): ArrayIterator<[number, Node | undefined]> {
    const validating = !this.#validated
    this.#validated = true
    for (let index = 0; index < this.length; index++) {
      const node = this[index]
      yield [index, validating && node?.nodeType === 'parent' ? withoutUnmergedLeaves(node) : node]
    }
  }
}

function withoutUnmergedLeaves(node: Extract<Node, { nodeType: 'parent' }>): Node {
  return { nodeType: 'parent', parent: { ...node.parent, unmergedLeaves: [] } }
}

/** The tree that the server hands to a joiner: `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3). */
export function decodeTree(bytes: Uint8Array): RatchetTree {
  const decoded = decodeRatchetTree(bytes, 0)
  if (!decoded || decoded[1] !== bytes.length) throw new Error('The ratchet tree does not decode')
  const tree = new ReceivedTree()
  for (const node of decoded[0]) tree.push(node)
  return tree
}

export function encodeTree(tree: RatchetTree): Uint8Array {
  return encodeRatchetTree(tree)
}

/** Once validated, the tree is a plain array. */
export function settled<State extends { ratchetTree: RatchetTree }>(state: State): State {
  return { ...state, ratchetTree: [...state.ratchetTree] }
}
