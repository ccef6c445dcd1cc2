import { hex } from '../bytes.js'
import { finish, type Steps } from '../steps.js'
import { TlsWriter } from '../tls/writer.js'
import type { BrokenRule } from '../mls/rules.js'
import { digest, proposalRef, type HashAlgorithm } from '../mls/hashes.js'
import { namedIdentity, type Credential } from '../mls/structures/credential.js'
import type { GroupContext } from '../mls/structures/group-info.js'
import type { LeafNode } from '../mls/structures/leaf-node.js'
import type { HandshakeContent, PublicMessage } from '../mls/structures/public-message.js'
import { writeRatchetTree } from '../mls/structures/ratchet-tree.js'
import type { PendingProposals } from './proposals/pending-proposals.js'
import type { Tree } from './tree/tree.js'

/** All that is public about a group in one epoch (RFC 9420 §6). Immutable: a Commit gives the next one. */
export interface PublicGroupState {
  readonly groupContext: GroupContext
  readonly tree: Tree
  readonly interimTranscriptHash: Uint8Array
  readonly pending: PendingProposals
}

/** A leaf that is not blank, as far as it says whose it is. */
export interface Member {
  readonly leafIndex: number
  /** Whom the credential names (`namedIdentity`). */
  readonly identity: string | undefined
  readonly credential: Credential
  readonly signatureKey: Uint8Array
}

/** What a Commit message carries. */
export type CommitContent = Extract<HandshakeContent, { kind: 'commit' }>

/** A refusal, with the rule that was broken. */
export type Refused = { readonly kind: 'refused' } & BrokenRule

/** A broken rule as the outcome of an operation. */
export function refused({ rule, section }: BrokenRule): Refused {
  return { kind: 'refused', rule, section }
}

/** The leaf at this index of the tree; undefined if it is blank or beyond the tree. */
export function leaf(state: PublicGroupState, leafIndex: number): LeafNode | undefined {
  return state.tree.leaf(leafIndex)
}

/** Everybody in the group, by leaf index. Linear in the size of the tree. */
export function members(state: PublicGroupState): Member[] {
  return state.tree.leaves.toArray().flatMap((node, leafIndex) => (node === undefined ? [] : [memberAt(leafIndex, node)]))
}

/** The member of a leaf node. */
export function memberAt(leafIndex: number, node: LeafNode): Member {
  const { credential, signatureKey } = node
  return { leafIndex, identity: namedIdentity(credential), credential, signatureKey }
}

/** The leaf with this text for an identity, the leftmost if there are several. */
export function memberNamed({ tree }: PublicGroupState, identity: string): Member | undefined {
  const [leafIndex] = tree.leavesNamed(Buffer.from(identity)).sort((a, b) => a - b)
  const node = leafIndex === undefined ? undefined : tree.leaf(leafIndex)
  return node && memberAt(leafIndex ?? 0, node)
}

/** The ratchet tree of this epoch as `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3), for joiners. */
export function treeBytes(state: PublicGroupState): Uint8Array {
  return finish(treeBytesInSteps(state))
}

/** `treeBytes` by steps of one node. */
export function* treeBytesInSteps(state: PublicGroupState): Steps<Uint8Array> {
  return (yield* writeRatchetTree(new TlsWriter(), state.tree.nodes())).written()
}

/** The state with one more pending proposal, which must have been found valid; anything but a proposal changes nothing. */
export function addProposal(state: PublicGroupState, message: PublicMessage): PublicGroupState {
  const ref = proposalRef(state.groupContext.cipherSuite, message.authenticatedContent)
  if (message.content.kind !== 'proposal' || ref === undefined) return state
  const pending = { ref, proposal: message.content.proposal, sender: message.sender, bytes: message.bytes }
  return { ...state, pending: state.pending.with(hex(ref), pending) }
}

/** ConfirmedTranscriptHash of RFC 9420 §8.2: over all Commits up to and including this one's signature. */
export function confirmedTranscriptHash(algorithm: HashAlgorithm, interimBefore: Uint8Array, commit: PublicMessage): Uint8Array {
  return digest(algorithm, new TlsWriter().raw(interimBefore).raw(commit.transcriptInput).written())
}

/**
 * InterimTranscriptHash of RFC 9420 §8.2: the confirmed one and the Commit's confirmation tag; at epoch 0 the tag of the group's
 * creation (§11).
 */
export function interimTranscriptHash(algorithm: HashAlgorithm, confirmed: Uint8Array, confirmationTag: Uint8Array): Uint8Array {
  return digest(algorithm, new TlsWriter().raw(confirmed).opaque(confirmationTag).written())
}
