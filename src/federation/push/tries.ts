import type { DueGroup } from './cursors.repository.js'
import type { Delivered, Postponed } from './delivery.js'

/** Groups that the peer cannot take, and none that it can: then it is the peer. */
const GROUPS_AGAINST_PEER = 3
/** The next run looks at twice as many before it says so again, and begins behind those: up to this often. */
const MOST_DOUBLINGS = 5
/** Groups one after the other, where the peer has taken something in this run: it can, and many may wait that it cannot take. */
const FAILURES_AFTER_SUCCESS = 200

/** A peer that has taken nothing since it could not take something. */
export interface Suspect {
  /** Runs in a row that have ended because of that. */
  readonly runs: number
  /** The group (gid) behind which the next run begins, so that others have their turn than those that failed. */
  readonly behind: bigint
  /** Groups that it could not take since then. */
  readonly failed: ReadonlySet<bigint>
}

const NOTHING_KNOWN: Suspect = { runs: 0, behind: 0n, failed: new Set() }

/**
 * What one run has met, and whom that speaks against. A peer that takes nothing is down: no group is to blame for that, and none collects
 * failures. Where it takes some, those that it does not take are to blame.
 */
export class Tries {
  /** Groups that the peer could not take in this run. */
  readonly postponed = new Map<bigint, Postponed>()
  private readonly failed: Set<bigint>
  private inARow = 0
  private taken = false
  private last: bigint
  private lastFailure: Postponed | undefined

  constructor(private readonly before: Suspect = NOTHING_KNOWN) {
    this.last = before.behind
    this.failed = new Set(before.failed)
  }

  /** The group behind which this run begins. */
  get after(): bigint {
    return this.before.behind
  }

  note({ gid, failures }: Pick<DueGroup, 'gid' | 'failures'>, outcome: Delivered): void {
    this.last = gid
    if (outcome.kind === 'postponed') {
      this.postponed.set(gid, outcome)
      this.lastFailure = outcome
      // One that failed while the peer took others speaks against nobody else.
      if (failures > 0 && !this.failed.has(gid)) return
      this.failed.add(gid)
      this.inARow++
    } else if (outcome.kind !== 'failed') {
      this.inARow = 0
      // Also one that it refuses, or names another place of: it has looked at it.
      this.taken ||= outcome.kind !== 'level'
    }
  }

  hasFailed(gid: bigint): boolean {
    return this.postponed.has(gid)
  }

  /** Whether this run need not go on. */
  get exhausted(): boolean {
    const most = this.taken ? FAILURES_AFTER_SUCCESS : GROUPS_AGAINST_PEER * 2 ** Math.min(this.before.runs, MOST_DOUBLINGS)
    return this.inARow >= most
  }

  /** How the run ends, by how its last group did. */
  verdict(outcome: Delivered): Delivered {
    const { lastFailure, taken, failed } = this
    if (outcome.kind === 'failed' || !lastFailure) return outcome
    const againstPeer = taken ? this.exhausted : failed.size >= GROUPS_AGAINST_PEER
    return againstPeer ? { kind: 'failed', why: lastFailure.why, retryAfter: lastFailure.retryAfter } : outcome
  }

  /** What is to be remembered after a run that ends so. Undefined: the peer takes what it is sent, as far as it can. */
  suspect({ kind }: Delivered): Suspect | undefined {
    const { taken, failed, before } = this
    if (taken) return undefined
    if (kind === 'failed') return { runs: before.runs + 1, behind: this.last, failed }
    return failed.size > 0 ? { ...before, behind: 0n, failed } : undefined
  }
}
