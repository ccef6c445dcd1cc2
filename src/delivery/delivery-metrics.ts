import { Injectable } from '@nestjs/common'
import { Metrics } from '../platform/observability/metrics.js'

/** What the node's delivery does, without a group or a device in any label. */
@Injectable()
export class DeliveryMetrics {
  readonly entriesSent
  readonly liveBatches
  readonly ackRows
  readonly lag
  readonly streamsClosed
  readonly framesReceived
  readonly posts
  readonly readingPaused
  readonly entriesLost
  readonly limitsRefused
  readonly retired
  /** Read when scraped. */
  readonly now = { streams: 0, pollers: 0, backfills: 0, queuedBytes: 0 }

  constructor(metrics: Metrics) {
    this.entriesSent = metrics.counter('delivery_entries_sent_total', 'Log entries sent on streams, by phase', ['phase'])
    this.liveBatches = metrics.counter(
      'delivery_live_batches_total',
      'Batches for live streams, by where they came from: a hint that carried them, or the log',
      ['source'],
    )
    this.ackRows = metrics.counter('delivery_ack_rows_total', 'Membership rows moved by acknowledgements')
    this.streamsClosed = metrics.counter('delivery_streams_closed_total', 'Streams ended by this server, by close code', ['code'])
    this.framesReceived = metrics.counter('delivery_frames_received_total', 'Frames that clients sent, by kind', ['kind'])
    this.posts = metrics.counter(
      'delivery_posts_total',
      'Posts that came over streams, by the HTTP status that says how they were answered',
      ['status'],
    )
    this.readingPaused = metrics.counter('delivery_reading_paused_total', 'Pauses in reading from streams that are beyond their rates')
    this.entriesLost = metrics.counter(
      'delivery_entries_lost_total',
      'How often a client had entries past the end of a log: a restore or failover without "recovered", or a client that lies',
    )
    this.limitsRefused = metrics.limitsRefused
    this.retired = metrics.counter('delivery_retired_rows_total', 'Rows deleted by retention, by what they held', ['what'])
    this.lag = metrics.histogram(
      'delivery_lag_seconds',
      'From acceptance (whole seconds) to the live push',
      [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300],
    )
    metrics.gauge('delivery_streams_open', 'Open streams', () => this.now.streams)
    metrics.gauge('delivery_pollers_waiting', 'Long polls that wait', () => this.now.pollers)
    metrics.gauge('delivery_backfills_running', 'Backfill reads running', () => this.now.backfills)
    metrics.gauge('delivery_queue_bytes', 'Bytes of frames that wait for sockets', () => this.now.queuedBytes)
  }
}
