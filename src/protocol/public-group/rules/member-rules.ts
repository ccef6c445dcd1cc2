import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { lists, listsAll } from '../../mls/grease.js'
import { credentialType } from '../../mls/structures/credential.js'
import type { LeafNode } from '../../mls/structures/leaf-node.js'
import type { Requirements } from './group-extensions.js'
import { shortForm } from '../tree/tree-index/tree-index.js'
import type { Tree } from '../tree/tree.js'

/** The rules for one leaf of a tree together with all others in it. */
export function leafAmongMembers(tree: Tree, leaf: LeafNode, requirements: Requirements): BrokenRule | undefined {
  return (
    brokenUnless(meetsRequired(leaf, requirements), 'leaf-node-required-capabilities') ??
    brokenUnless(supportsExtensions(leaf, requirements), 'leaf-node-group-extensions') ??
    leafKnowsCredentials(tree, leaf) ??
    leafSignatureKey(tree, leaf)
  )
}

/** RFC 9420 §7.3: the leaf's capabilities list all that required_capabilities does. */
export function meetsRequired({ capabilities }: LeafNode, required: Requirements): boolean {
  return (
    listsAll(capabilities.extensions, required.extensions) &&
    listsAll(capabilities.proposals, required.proposals) &&
    listsAll(capabilities.credentials, required.credentials)
  )
}

/** RFC 9420 §13.4: the leaf's capabilities list the types of all the group's extensions. */
export function supportsExtensions({ capabilities }: LeafNode, { groupExtensions }: Requirements): boolean {
  return listsAll(capabilities.extensions, groupExtensions)
}

/** RFC 9420 §7.3: no leaf of the tree has another leaf's encryption key, nor a parent node's. */
export function leafEncryptionKey(tree: Tree, leaf: LeafNode): BrokenRule | undefined {
  return brokenUnless(tree.index.encryptionKeys.count(leaf.encryptionKey) === 1, 'leaf-node-encryption-key')
}

/** RFC 9420 §7.3: what the others' credentials are, this member can judge. Its own type it lists anyway (§7.2). */
function leafKnowsCredentials({ index }: Tree, { capabilities }: LeafNode): BrokenRule | undefined {
  const known = listsAll(capabilities.credentials, [...index.credentialTypes.keys()])
  return brokenUnless(known, 'leaf-node-knows-credentials')
}

/** RFC 9420 §7.3: what this credential is, the others can judge. */
export function credentialKnown(others: Iterable<LeafNode>, { credential }: LeafNode): BrokenRule | undefined {
  const type = credentialType(credential)
  for (const { capabilities } of others) {
    if (!lists(capabilities.credentials, type)) return brokenUnless(false, 'credential-known-to-members')
  }
  return undefined
}

/** RFC 9420 §7.3. */
function leafSignatureKey({ index }: Tree, leaf: LeafNode): BrokenRule | undefined {
  return brokenUnless(index.signatureKeys.count(shortForm(leaf.signatureKey)) === 1, 'leaf-node-signature-key')
}
