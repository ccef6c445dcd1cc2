import { decodeIncoming } from '../../../platform/http/incoming-message.js'
import { hex } from '../../../protocol/bytes.js'
import { proposalRef } from '../../../protocol/mls/hashes.js'
import { namedIdentity } from '../../../protocol/mls/structures/credential.js'
import type { Proposal } from '../../../protocol/mls/structures/proposal.js'
import type { PublicMessage, Sender } from '../../../protocol/mls/structures/public-message.js'
import type { TreeNodes } from '../../../protocol/mls/structures/ratchet-tree.js'

/** Leaves that a Commit empties, and for each whether its own member wanted it. */
export type RemovedLeaves = ReadonlyMap<number, 'left' | 'removed'>

/**
 * Whom a Commit in the open removes, by Proposals inside and by those that it refers to. The rest of the group's state is not needed for it: a member keeps its
 * leaf as long as it is in the group (RFC 9420 §7.7).
 * @param waiting the Proposals of the epoch, MLSMessages
 */
export function leavesRemovedBy(commit: PublicMessage, waiting: readonly Uint8Array[], suite: number): RemovedLeaves {
  const removed = new Map<number, 'left' | 'removed'>()
  if (commit.content.kind !== 'commit') return removed
  const byRef = proposalsByRef(waiting, suite)
  for (const one of commit.content.proposals) {
    const sent = one.kind === 'proposal' ? { proposal: one.proposal, sender: commit.sender } : byRef.get(hex(one.ref))
    const gone = sent && leafRemovedBy(sent.proposal, sent.sender)
    if (gone) removed.set(gone.leafIndex, gone.why)
  }
  return removed
}

/** The leaf of each of these clients in a tree, by client URI. */
export function leavesIn({ leaves }: TreeNodes, clients: ReadonlySet<string>): Map<string, number> {
  const found = new Map<string, number>()
  for (const [index, leaf] of leaves.entries()) {
    const client = leaf && namedIdentity(leaf.credential)
    if (client !== undefined && clients.has(client)) found.set(client, index)
  }
  return found
}

interface Sent {
  readonly proposal: Proposal
  readonly sender: Sender
}

function proposalsByRef(waiting: readonly Uint8Array[], suite: number): Map<string, Sent> {
  const byRef = new Map<string, Sent>()
  for (const bytes of waiting) {
    const decoded = decodeIncoming(bytes)
    if (decoded.kind === 'malformed' || decoded.value.wireFormat !== 'public-message') continue
    const { sender, content, authenticatedContent } = decoded.value.body
    const ref = proposalRef(suite, authenticatedContent)
    if (ref && content.kind === 'proposal') byRef.set(hex(ref), { proposal: content.proposal, sender })
  }
  return byRef
}

function leafRemovedBy(proposal: Proposal, sender: Sender): { leafIndex: number; why: 'left' | 'removed' } | undefined {
  const own = sender.kind === 'member' ? sender.leafIndex : undefined
  if (proposal.kind === 'self-remove') return own === undefined ? undefined : { leafIndex: own, why: 'left' }
  if (proposal.kind !== 'remove') return undefined
  return { leafIndex: proposal.removed, why: proposal.removed === own ? 'left' : 'removed' }
}
