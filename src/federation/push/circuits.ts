import { randomUUID } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { retryDelay } from '../../protocol/retry-policy.js'
import { PeerPolicy } from '../peers/peer-policy.js'
import { findPeer, leaveLane, noteFailure, noteSuccess, renewLane, takeLane } from '../peers/peers.repository.js'
import { duePeers } from './cursors.repository.js'
import type { Delivered } from './delivery.js'
import { pushFailed } from '../federation.events.js'

/** A process that dies in a run keeps the lane for this long. */
const LANE_MS = 15_000
const RENEW_MS = 5_000

/** A run's hold of a peer's lane. */
export interface Hold {
  readonly owner: string
  /** Aborted if the lane is another's, as when this process was away for longer than it had the lane for. */
  readonly lost: AbortSignal
  readonly timer: NodeJS.Timeout
}

/** A circuit breaker per peer: who holds its lane, and whether it may be pushed to. A failure opens it for a back-off, the operator until resumed. */
@Injectable()
export class Circuits {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly policy: PeerPolicy,
    private readonly events: Events,
  ) {}

  /** Takes the peer's lane, for one run on one node. */
  async enter(peer: string): Promise<Hold | undefined> {
    const owner = randomUUID()
    if (!(await this.policy.admits(peer)) || !(await takeLane(this.pool, peer, owner, LANE_MS))) return undefined
    const lost = new AbortController()
    const renew = async () => {
      if (!(await renewLane(this.pool, peer, owner, LANE_MS))) lost.abort()
    }
    // A renewal that fails leaves two more, and then the lane to others.
    const timer = setInterval(() => void renew().catch(() => undefined), RENEW_MS).unref()
    return { owner, lost: lost.signal, timer }
  }

  /** Peers for which something waits and that may be tried. */
  async due(): Promise<string[]> {
    const found: string[] = []
    for (const peer of await duePeers(this.pool)) if (await this.policy.admits(peer)) found.push(peer)
    return found
  }

  /** Notes what came of a run, and leaves the lane. @returns for how many milliseconds the peer is left alone */
  async leave(peer: string, { owner, timer }: Hold, outcome: Delivered): Promise<number> {
    clearInterval(timer)
    const failures = (await findPeer(this.pool, peer))?.failures ?? 0
    const delay = outcome.kind === 'failed' ? retryDelay(failures + 1, Math.random(), outcome.retryAfter) : 0
    if (outcome.kind === 'failed') {
      await noteFailure(this.pool, peer, failures + 1, new Date(Date.now() + delay), outcome.why)
      pushFailed(this.events, outcome.why.slice(0, 40))
    } else if (failures > 0) await noteSuccess(this.pool, peer)
    await leaveLane(this.pool, peer, owner)
    return delay
  }
}
