import type { DescribedLimit } from '../../platform/limits/described-limit.js'

const CLOSED = 'reading pauses; a stream that stays far beyond it for half a minute is closed with 1008'

/** Each takes a handful of statements and displaces the one before. A client that lost its connection tries again more and more slowly. */
export const STREAM_OPENINGS = {
  name: 'device-stream-openings',
  holder: 'device',
  what: 'streams opened per minute, also those that displace one of the same device; as many at once',
  value: 120,
  refusal: '429 with Retry-After to the upgrade',
} as const satisfies DescribedLimit

/** Reads of all streams of a process together. */
export const STREAM_READS = {
  name: 'process-stream-reads',
  holder: 'process',
  what: 'pieces of 4 KiB of what streams send that are read in one turn of the event loop, and 2 ms of them at most; devices take turns',
  value: 8,
  refusal: 'nothing: they wait for the next turns, and the network before them',
} as const satisfies DescribedLimit

/** As many as one device may have requests in flight by half: a stream leaves room for requests beside it. */
export const STREAM_POSTS = {
  name: 'stream-posts',
  holder: 'stream',
  what: 'posts under way at once, and half as many more that take longer than a second; while others wait, nothing more is read from the stream',
  value: 16,
  refusal: 'nothing: they wait in the network; where eight take longer than a second, `refused` with 503 for more of those groups',
} as const satisfies DescribedLimit

/** What one stream may send and hold. */
export const STREAM_LIMITS = [
  STREAM_POSTS,
  {
    name: 'stream-frames',
    holder: 'stream',
    what: 'frames per second, pings and pongs included, without those that acknowledge what was delivered and posts that are accepted',
    setting: 'STREAM_FRAME_RATE',
    refusal: CLOSED,
  },
  {
    name: 'stream-bytes',
    holder: 'stream',
    what: 'bytes of the same frames per second',
    setting: 'STREAM_BYTE_RATE',
    refusal: CLOSED,
  },
] as const satisfies readonly DescribedLimit[]
