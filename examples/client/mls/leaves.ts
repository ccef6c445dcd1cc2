import type { ClientState } from 'ts-mls'
import type { LeafNode } from 'ts-mls/leafNode.js'
import { clientOfCredential } from '../x509/chain.js'

/** The leaves of a tree that are not blank. */
export function leavesOf({ ratchetTree }: Pick<ClientState, 'ratchetTree'>): { leaf: LeafNode; leafIndex: number }[] {
  return ratchetTree.flatMap((node, index) => (node?.nodeType === 'leaf' ? [{ leaf: node.leaf, leafIndex: index / 2 }] : []))
}

/** The client URI that a leaf gives; empty if it gives none. */
export function clientOf({ credential }: LeafNode): string {
  return clientOfCredential(credential)
}
