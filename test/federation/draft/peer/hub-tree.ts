import {
  decodeMlsMessage,
  type CiphersuiteImpl,
  type GroupContext,
  type LeafNode,
  type Proposal,
  type PublicMessage,
  type RatchetTree,
} from 'ts-mls'
import { makeProposalRef } from 'ts-mls/authenticatedContent.js'
import { verifyFramedContentSignature } from 'ts-mls/framedContent.js'
import { addLeafNode, removeLeafNode, updateLeafNode } from 'ts-mls/ratchetTree.js'
import { toLeafIndex, toNodeIndex, nodeToLeafIndex } from 'ts-mls/treemath.js'
import { applyUpdatePath } from 'ts-mls/updatePath.js'
import { hexOf } from './device.js'
import { identityOf } from './suite.js'

/** A Proposal that the hub keeps until a Commit holds it (§3.5). */
export interface Pending {
  readonly ref: string
  readonly message: Uint8Array
  readonly proposal: Proposal
  readonly sender: number | undefined
  readonly acceptedAt: bigint
}

/** What a Commit does to the tree, as the hub sees it. */
export interface Applied {
  readonly tree: RatchetTree
  /** Client URI of the committer. */
  readonly committer: string
  readonly external: boolean
  readonly covered: ReadonlySet<string>
  readonly removedLeaves: ReadonlySet<number>
  readonly added: readonly { readonly client: string; readonly keyPackageRef: string }[]
}

export function publicMessageOf(message: Uint8Array): PublicMessage | undefined {
  const decoded = decodeMlsMessage(message, 0)?.[0]
  return decoded?.wireformat === 'mls_public_message' ? decoded.publicMessage : undefined
}

export function leafAt(tree: RatchetTree, index: number): LeafNode | undefined {
  const node = tree[2 * index]
  return node?.nodeType === 'leaf' ? node.leaf : undefined
}

export async function refOf(message: PublicMessage, impl: CiphersuiteImpl): Promise<string> {
  return hexOf(await makeProposalRef({ wireformat: 'mls_public_message', content: message.content, auth: message.auth }, impl.hash))
}

/** Whether the signature of a handshake is that of the leaf which it names. */
export function isSignedBy(leaf: LeafNode, message: PublicMessage, context: GroupContext, impl: CiphersuiteImpl): Promise<boolean> {
  const { content, auth } = message
  return verifyFramedContentSignature(leaf.signaturePublicKey, 'mls_public_message', content, auth, context, impl.signature)
}

/** Applies a Commit as RFC 9420 §12.4.2 says, without any secret. @throws if it cannot be applied */
export async function applyCommit(
  message: PublicMessage,
  before: RatchetTree,
  pending: ReadonlyMap<string, Pending>,
  keyPackageRefOf: (proposal: Extract<Proposal, { proposalType: 'add' }>) => Promise<string>,
  impl: CiphersuiteImpl,
): Promise<Applied> {
  const { content } = message
  if (content.contentType !== 'commit') throw new Error('Not a Commit')
  const covered = new Set<string>()
  const proposals = content.commit.proposals.map((one) => {
    if (one.proposalOrRefType === 'proposal') return { proposal: one.proposal, sender: undefined }
    const ref = hexOf(one.reference)
    const found = pending.get(ref)
    if (!found) throw new Error('The Commit refers to a Proposal that is not here')
    covered.add(ref)
    return found
  })
  let tree = before
  const removedLeaves = new Set<number>()
  const added: { client: string; keyPackageRef: string }[] = []
  for (const { proposal, sender } of proposals) {
    if (proposal.proposalType === 'update' && sender !== undefined)
      tree = updateLeafNode(tree, proposal.update.leafNode, toLeafIndex(sender))
  }
  for (const { proposal } of proposals) {
    if (proposal.proposalType !== 'remove') continue
    if (!leafAt(before, proposal.remove.removed)) throw new Error('The Commit removes nobody')
    removedLeaves.add(proposal.remove.removed)
    tree = removeLeafNode(tree, toLeafIndex(proposal.remove.removed))
  }
  for (const { proposal } of proposals) {
    if (proposal.proposalType !== 'add') continue
    tree = addLeafNode(tree, proposal.add.keyPackage.leafNode)[0]
    const client = identityOf(proposal.add.keyPackage.leafNode.credential)
    added.push({ client, keyPackageRef: await keyPackageRefOf(proposal) })
  }
  const rest = { covered, removedLeaves, added }
  const { path } = content.commit
  if (content.sender.senderType === 'member') {
    const leaf = leafAt(before, content.sender.leafIndex)
    if (!leaf) throw new Error('The committer is not a member')
    if (path) tree = await applyUpdatePath(tree, toLeafIndex(content.sender.leafIndex), path, impl.hash)
    return { ...rest, tree, committer: identityOf(leaf.credential), external: false }
  }
  if (content.sender.senderType !== 'new_member_commit' || !path) throw new Error('Nobody who may commit')
  const [withLeaf, node] = addLeafNode(tree, path.leafNode)
  tree = await applyUpdatePath(withLeaf, nodeToLeafIndex(toNodeIndex(node)), path, impl.hash, true)
  return { ...rest, tree, committer: identityOf(path.leafNode.credential), external: true }
}
