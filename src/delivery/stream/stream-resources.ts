import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { numberOf } from '../../platform/limits/described-limit.js'
import { Turns } from '../../platform/limits/turns.js'
import { POOL } from '../../platform/postgres/sql.js'
import { AckFlusher } from '../acks/ack-flusher.js'
import { DeliveryMetrics } from '../delivery-metrics.js'
import { Feeds } from '../feed/feeds.js'
import { NodeBudget } from '../socket/node-budget.js'
import { STREAM_READS } from '../socket/stream-limits.js'
import { STREAM_SETTINGS, type StreamSettings } from './stream-settings.js'

/** At most `width` pieces of work at once; the others wait their turn, first come first served. */
export class Gate {
  private readonly waiting: (() => void)[] = []
  private running = 0

  constructor(
    private readonly width: number,
    private readonly changed: (running: number) => void = () => undefined,
  ) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= this.width) await new Promise<void>((resolve) => this.waiting.push(resolve))
    else this.changed(++this.running)
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      if (next)
        next() // it takes over this place
      else this.changed(--this.running)
    }
  }
}

/** What all streams of a node share. */
@Injectable()
export class StreamResources {
  readonly budget: NodeBudget
  /** The turns in which streams are read. */
  readonly turns = new Turns(numberOf(STREAM_READS))
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
