import type { Proposal } from '../../mls/structures/proposal.js'
import type { Sender } from '../../mls/structures/public-message.js'

/** A proposal and who made it: for one by value, the committer. */
export interface SentProposal {
  readonly proposal: Proposal
  readonly sender: Sender
  readonly byReference: boolean
}

/** The index of the leaf that an Update, Remove or SelfRemove changes or blanks; undefined for other proposals and senders. */
export function changedLeaf({ proposal, sender }: Pick<SentProposal, 'proposal' | 'sender'>): number | undefined {
  if (proposal.kind === 'remove') return proposal.removed
  const ofSender = proposal.kind === 'update' || proposal.kind === 'self-remove'
  return ofSender && sender.kind === 'member' ? sender.leafIndex : undefined
}

/** How many of the proposals are of this kind. */
export function count(proposals: readonly SentProposal[], kind: Proposal['kind']): number {
  return proposals.filter(({ proposal }) => proposal.kind === kind).length
}

/** A proposal of this epoch that waits for a Commit; `ref` is its ProposalRef (RFC 9420 §5.2). */
export interface PendingProposal {
  readonly ref: Uint8Array
  readonly proposal: Proposal
  readonly sender: Sender
  /** The PublicMessage it came in. */
  readonly bytes: Uint8Array
}

/** Written by the newest version only, read by all versions up to their own size. */
interface Log {
  readonly entries: PendingProposal[]
  readonly positions: Map<string, number>
}

/**
 * Proposals of an epoch by the hex form of their ProposalRef, in the order they came. Immutable: one more gives another version,
 * which extends the same log unless another version extended it already.
 */
export class PendingProposals {
  static get none(): PendingProposals {
    return new PendingProposals({ entries: [], positions: new Map() }, 0, 0)
  }

  private constructor(
    private readonly log: Log,
    readonly size: number,
    /** Bytes of all messages together. */
    readonly bytes: number,
  ) {}

  get(key: string): PendingProposal | undefined {
    const at = this.log.positions.get(key)
    return at !== undefined && at < this.size ? this.log.entries[at] : undefined
  }

  /** The same again changes nothing. */
  with(key: string, proposal: PendingProposal): PendingProposals {
    if (this.get(key) !== undefined) return this
    const log = this.log.entries.length === this.size ? this.log : this.ownLog()
    log.positions.set(key, log.entries.length)
    log.entries.push(proposal)
    return new PendingProposals(log, this.size + 1, this.bytes + proposal.bytes.length)
  }

  keys(): string[] {
    return [...this.log.positions.keys()].slice(0, this.size)
  }

  values(): PendingProposal[] {
    return this.log.entries.slice(0, this.size)
  }

  private ownLog(): Log {
    return { entries: this.values(), positions: new Map(this.keys().map((key, at) => [key, at])) }
  }
}
