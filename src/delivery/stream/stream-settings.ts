import type { Config } from '../../platform/config/config.js'
import type { Pressure } from '../../platform/admission/pressure.js'
import { Cors } from '../../platform/http/server/cors.js'
import type { Rate } from '../../platform/limits/buckets.js'
import type { PageLimits } from '../read/device-log.repository.js'
import { MAX_CLIENT_FRAME_BYTES } from '../../protocol/frames.js'
import type { Posts } from './posts/posts.js'

/** What holds for the streams of one node. Milliseconds and bytes. */
export interface StreamSettings {
  heartbeatMs: number
  /** A stream whose window stays full for this long is closed. */
  ackTimeoutMs: number
  maxStreams: number
  /** Which pages may open one. */
  cors: Pick<Cors, 'mayOpenStream'>
  /** Whether the node has too much to do to open more. */
  pressure: Pick<Pressure, 'refuses'>
  /** What takes the posts that come over them. */
  posts: Posts
  /** Entries that may be on their way to a device without an ack. */
  maxUnacked: number
  /** Inbox items that may be on their way to a device without an ack. */
  maxUnackedInbox: number
  /** Frames queued for one socket and for all of them; past that, readers fall back to their cursors. */
  socketBytes: number
  nodeBytes: number
  /** Reads of streams that catch up, at once. */
  backfills: number
  page: PageLimits
  /** How long the optional first frame `resume` is waited for. */
  resumeGraceMs: number
  tokenWarningMs: number
  /** What a stream may send, in addition to frames that acknowledge what was delivered. */
  frameRate: Rate
  byteRate: Rate
  /** A stream that stays far beyond its rates for this long is closed. */
  floodMs: number
  /** Time over which a draining node spreads its 1012s. */
  drainMs: number
}

export const STREAM_SETTINGS = Symbol('STREAM_SETTINGS')

/** Settings from the configuration, and constants that nobody has had to change. */
export function streamSettings(config: Config, pressure: Pick<Pressure, 'refuses'>, posts: Posts): StreamSettings {
  return {
    heartbeatMs: config.STREAM_HEARTBEAT,
    ackTimeoutMs: config.STREAM_ACK_TIMEOUT,
    maxStreams: config.MAX_STREAMS,
    cors: new Cors(config),
    pressure,
    posts,
    maxUnacked: 1_024,
    maxUnackedInbox: 256,
    socketBytes: 256 * 1024,
    nodeBytes: 256 * 1024 ** 2,
    backfills: 64,
    page: { entries: 64, bytes: 256 * 1024 },
    resumeGraceMs: 3_000,
    tokenWarningMs: Math.min(60_000, config.ACCESS_TOKEN_TTL / 2),
    frameRate: { perSecond: config.STREAM_FRAME_RATE, burst: config.STREAM_FRAME_RATE * 10 },
    // The largest frame always fits, several times.
    byteRate: { perSecond: config.STREAM_BYTE_RATE, burst: Math.max(config.STREAM_BYTE_RATE, MAX_CLIENT_FRAME_BYTES) * 4 },
    floodMs: 30_000,
    drainMs: config.SHUTDOWN_GRACE / 2,
  }
}
