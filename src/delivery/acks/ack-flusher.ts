import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { DeliveryMetrics } from '../delivery.metrics.js'
import { AckBook } from './ack-book.js'
import { MAX_ACK_ROWS, writeAcks, type Ack } from './acks.repository.js'

/**
 * Writes acknowledgements late and together: one per message in a group of 10,000 would write 1,300 times the message's
 * bytes. Those of devices that disconnect are written at once (of one tick in one statement), all others once a minute at most.
 * What is lost with the process is delivered again; the client has those entries already and drops them.
 */
@Injectable()
export class AckFlusher implements BeforeApplicationShutdown {
  readonly book = new AckBook()
  private readonly leaving = new Set<bigint>()
  private urgent: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'STREAM_ACK_FLUSH'>,
    @Inject(LOG) private readonly log: Logger,
    private readonly metrics: DeliveryMetrics,
  ) {}

  /** Kept in memory until the next flush. */
  record(ack: Ack): void {
    this.book.record(ack)
    // Jitter, so that nodes which were started together do not write together.
    this.timer ??= setTimeout(() => void this.flush(), this.config.STREAM_ACK_FLUSH * (0.5 + Math.random() / 2)).unref()
  }

  /** The device went away: soon another node may ask where it stands. */
  flushDevice(deviceId: bigint): Promise<void> {
    this.leaving.add(deviceId)
    this.urgent ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      const devices = [...this.leaving]
      this.leaving.clear()
      this.urgent = undefined
      return this.write(this.book.pages(MAX_ACK_ROWS, devices))
    })
    return this.urgent
  }

  /** Everything; also the last thing that a draining node does. */
  async flush(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    await this.write(this.book.pages(MAX_ACK_ROWS))
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.flush()
    clearTimeout(this.timer)
  }

  /** Never rejects: what could not be written stays in the book for the next flush. */
  private async write(pages: Ack[][]): Promise<void> {
    for (const page of pages) {
      try {
        this.metrics.ackRows.inc(await writeAcks(this.pool, page, false))
        this.book.written(page)
      } catch (error) {
        this.log.warn({ err: error, rows: page.length }, 'acknowledgements could not be written yet')
        this.timer ??= setTimeout(() => void this.flush(), this.config.STREAM_ACK_FLUSH).unref()
        return
      }
    }
  }
}
