import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { AckFlusher } from '../acks/ack-flusher.js'
import { DeliveryMetrics } from '../delivery.metrics.js'
import { Feeds } from '../feed/feeds.js'
import { Gate } from '../feed/gate.js'
import { NodeBudget } from '../socket/node-budget.js'
import { ReadTurns } from '../socket/read-turns.js'
import { STREAM_SETTINGS, type StreamSettings } from './stream-settings.js'

/** What all streams of a node share. */
@Injectable()
export class StreamResources {
  readonly budget: NodeBudget
  readonly turns = new ReadTurns()
  /** Reads of streams that catch up take turns, so that a restart of everyone's clients leaves connections for the rest. */
  readonly gate: Gate

  constructor(
    @Inject(POOL) readonly pool: Pool,
    readonly feeds: Feeds,
    readonly acks: AckFlusher,
    readonly metrics: DeliveryMetrics,
    @Inject(STREAM_SETTINGS) readonly settings: StreamSettings,
  ) {
    this.budget = new NodeBudget(settings.nodeBytes, (bytes) => (metrics.now.queuedBytes = bytes))
    this.gate = new Gate(settings.backfills, (running) => (metrics.now.backfills = running))
  }
}
