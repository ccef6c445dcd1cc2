import { credentialType, identityBytes } from '../../../mls/structures/credential.js'
import type { LeafNode } from '../../../mls/structures/leaf-node.js'
import type { ParentNode } from '../../../mls/structures/ratchet-tree.js'
import { IdentityIndex, type IdentityIndexEdit } from './identity-index.js'
import { KeyBag, type KeyBagEdit } from './key-bag.js'
import { Occupancy, type OccupancyEdit } from './occupancy.js'

/** Two nodes' hashes and places, and those of their keys. */
const SLOTS_PER_LEAF = 450
/** The objects around the bytes of a node, those of the index among them (npm run bench -- public-group/memory). */
const OBJECTS_PER_NODE = 1_400
/** A byte of a node is there encoded, and once more decoded: numbers of two bytes take eight, an empty extension a view of its own. */
const MEMORY_PER_BYTE = 3

/** Lengths of uncompressed points of P-256, P-384 and P-521. */
const UNCOMPRESSED_BYTES: ReadonlySet<number> = new Set([65, 97, 133])

/** What a Commit has to know of all members at once, kept from one to the next because looking at each would cost too much. */
export interface TreeIndex {
  /** Bytes of memory that the tree takes, roughly. */
  readonly weight: number
  /** Signature keys in the form of `shortForm`. */
  readonly signatureKeys: KeyBag
  /** Encryption keys of leaves and of parent nodes. */
  readonly encryptionKeys: KeyBag
  /** How many leaves have a credential of each type. */
  readonly credentialTypes: ReadonlyMap<number, number>
  readonly identities: IdentityIndex
  readonly occupancy: Occupancy
}

/** An uncompressed point, which begins with 4, in its compressed form (SEC 1 §2.3.3): clients send either, and they are one key. */
export function shortForm(key: Uint8Array): Uint8Array {
  if (key[0] !== 4 || !UNCOMPRESSED_BYTES.has(key.length)) return key
  const short = key.slice(0, (key.length + 1) / 2)
  short[0] = 2 + ((key.at(-1) ?? 0) & 1)
  return short
}

/** The index of a tree of one blank leaf. */
export const EMPTY_INDEX: TreeIndex = {
  weight: 0,
  signatureKeys: KeyBag.empty,
  encryptionKeys: KeyBag.empty,
  credentialTypes: new Map(),
  identities: IdentityIndex.empty,
  occupancy: Occupancy.none,
}

/** A changeable copy of a `TreeIndex`. The caller reports each node of the tree that changes. */
export class TreeIndexEdit {
  readonly occupancy: OccupancyEdit
  private weight: number
  private readonly signatureKeys: KeyBagEdit
  private readonly encryptionKeys: KeyBagEdit
  private readonly credentialTypes: Map<number, number>
  private readonly identities: IdentityIndexEdit

  constructor(index: TreeIndex) {
    this.weight = index.weight
    this.signatureKeys = index.signatureKeys.edit()
    this.encryptionKeys = index.encryptionKeys.edit()
    this.credentialTypes = new Map(index.credentialTypes)
    this.identities = index.identities.edit()
    this.occupancy = index.occupancy.edit()
  }

  resized(before: number, after: number): void {
    this.weight += (after - before) * SLOTS_PER_LEAF
    this.occupancy.resize(after)
  }

  leafChanged(leafIndex: number, before: LeafNode | undefined, after: LeafNode | undefined): void {
    this.parentChanged(before, after)
    this.occupancy.set(leafIndex, after !== undefined)
    if (before !== undefined) {
      this.signatureKeys.remove(shortForm(before.signatureKey))
      this.countCredential(before, -1)
      const identity = identityBytes(before.credential)
      if (identity !== undefined) this.identities.remove(identity, leafIndex)
    }
    if (after !== undefined) {
      this.signatureKeys.add(shortForm(after.signatureKey))
      this.countCredential(after, 1)
      const identity = identityBytes(after.credential)
      if (identity !== undefined) this.identities.add(identity, leafIndex)
    }
  }

  parentChanged(before: Pick<ParentNode, 'bytes' | 'encryptionKey'> | undefined, after: typeof before): void {
    this.weight += nodeWeight(after) - nodeWeight(before)
    if (before !== undefined) this.encryptionKeys.remove(before.encryptionKey)
    if (after !== undefined) this.encryptionKeys.add(after.encryptionKey)
  }

  countEncryptionKey(key: Uint8Array): number {
    return this.encryptionKeys.count(key)
  }

  /** The edit must not be used afterwards. */
  done(): TreeIndex {
    return {
      weight: this.weight,
      credentialTypes: this.credentialTypes,
      signatureKeys: this.signatureKeys.done(),
      encryptionKeys: this.encryptionKeys.done(),
      identities: this.identities.done(),
      occupancy: this.occupancy.done(),
    }
  }

  private countCredential({ credential }: LeafNode, change: number): void {
    const type = credentialType(credential)
    const count = (this.credentialTypes.get(type) ?? 0) + change
    if (count === 0) this.credentialTypes.delete(type)
    else this.credentialTypes.set(type, count)
  }
}

function nodeWeight(node: { readonly bytes: Uint8Array } | undefined): number {
  return node === undefined ? 0 : OBJECTS_PER_NODE + MEMORY_PER_BYTE * node.bytes.length
}
