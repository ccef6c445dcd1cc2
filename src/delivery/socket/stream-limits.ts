import type { DescribedLimit } from '../../platform/limits/described-limit.js'

const CLOSED = 'reading pauses; a stream that stays far beyond it for half a minute is closed with 1008'

/** What one stream may send and hold. */
export const STREAM_LIMITS = [
  {
    name: 'stream-frames',
    holder: 'stream',
    what: 'frames per second, pings and pongs included, without those that acknowledge what was delivered',
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
