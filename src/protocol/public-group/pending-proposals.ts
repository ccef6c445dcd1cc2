import type { Proposal } from '../mls/structures/proposal.js'
import type { Sender } from '../mls/structures/public-message.js'

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
 * which goes on with the same log unless somebody else went on with it already.
 */
export class PendingProposals {
  static get none(): PendingProposals {
    return new PendingProposals({ entries: [], positions: new Map() }, 0, 0)
  }

  private constructor(
    private readonly log: Log,
    readonly size: number,
    /** Of all messages together. */
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
