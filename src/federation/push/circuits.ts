import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { retryDelay } from '../../protocol/retry-policy.js'
import { Admission } from '../peers/admission.js'
import { findPeer, leaveLane, noteFailure, noteSuccess, takeLane } from '../peers/peers.repository.js'
import { duePeers } from './cursors.repository.js'
import type { Delivered } from './delivery.js'
import { pushFailed } from './push.events.js'

/** Longer than a run and its last request can take. Whoever dies in a run holds the others up for this long. */
const LANE_MS = 20_000

/** Who pushes to a peer, and whether anybody may: one that failed is left alone for a while, one that is paused until the operator says so. */
@Injectable()
export class Circuits {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly admission: Admission,
    private readonly events: Events,
  ) {}

  /** Takes the peer's lane, for one run on one node. */
  async enter(peer: string): Promise<boolean> {
    return (await this.admission.admits(peer)) && takeLane(this.pool, peer, LANE_MS)
  }

  /** Peers for which something waits and that may be tried. */
  async due(): Promise<string[]> {
    const found: string[] = []
    for (const peer of await duePeers(this.pool)) if (await this.admission.admits(peer)) found.push(peer)
    return found
  }

  /** Notes what came of a run, and leaves the lane. @returns for how many milliseconds the peer is left alone */
  async leave(peer: string, outcome: Delivered): Promise<number> {
    const failures = (await findPeer(this.pool, peer))?.failures ?? 0
    const delay = outcome.kind === 'failed' ? retryDelay(failures + 1, Math.random(), outcome.retryAfter) : 0
    if (outcome.kind === 'failed') {
      await noteFailure(this.pool, peer, failures + 1, new Date(Date.now() + delay), outcome.why)
      pushFailed(this.events, outcome.why.slice(0, 40))
    } else if (failures > 0) await noteSuccess(this.pool, peer)
    await leaveLane(this.pool, peer)
    return delay
  }
}
