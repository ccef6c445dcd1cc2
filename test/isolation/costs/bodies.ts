import { randomBytes } from 'node:crypto'
import { encode } from 'cborg'
import { LOG_PAGE_ENTRIES } from './sizes.js'
import { decodeJson } from '../../../src/platform/http/server/decode-json.js'
import { encodeBody } from '../../../src/platform/http/encode.js'
import { decodeCbor } from '../../../src/protocol/strict-cbor.js'
import {
  decodeClientFrame,
  encodeEntry,
  encodeFrame,
  joinEntries,
  type ClientFrame,
  type EntryFrame,
} from '../../../src/protocol/frames.js'
import { sha256 } from '../../../src/protocol/sha256.js'
import { right, type Piece } from './piece.js'

const MEBIBYTE = 1024 * 1024
const BODY = 6 * MEBIBYTE

const positions = (count: number) =>
  Array.from({ length: count }, (_, seq) => ({ group_id: new Uint8Array(randomBytes(32)), incarnation: 1, seq }))
const frame = (of: ClientFrame) => async () => {
  const bytes = encodeFrame(of)
  return () => right('frame', decodeClientFrame(bytes))
}
const entry = (bytes: number): EntryFrame => ({
  group_id: new Uint8Array(randomBytes(32)),
  incarnation: 1,
  seq: 1,
  kind: 'application',
  epoch: 1,
  accepted_at: 1,
  hash: new Uint8Array(32),
  chain: new Uint8Array(32),
  message: new Uint8Array(randomBytes(bytes)),
})

const BODIES = 'the largest body of the route'

/** Bodies, frames and answers: what is done with bytes before and after they mean anything. */
export const BODY_PIECES: readonly Piece[] = [
  {
    name: 'JSON of 64,000 tokens',
    place: 'event loop',
    bounded: BODIES,
    allowed: 200,
    because: 'a parser cannot be interrupted in the middle',
    make: async () => {
      const text = Buffer.from(`{"a":[${Array.from({ length: 21_000 }, () => '{}').join(',')}]}`)
      return () => decodeJson(text)
    },
  },
  {
    name: 'JSON of 6 MiB in one string',
    place: 'event loop',
    bounded: BODIES,
    allowed: 500,
    because: 'a parser cannot be interrupted in the middle',
    make: async () => {
      const text = Buffer.from(`{"a":"${randomBytes((BODY * 3) / 4 - 16).toString('base64url')}"}`)
      return () => decodeJson(text)
    },
  },
  {
    name: 'CBOR of 50,000 items',
    place: 'event loop',
    bounded: BODIES,
    allowed: 150,
    because: 'a parser cannot be interrupted in the middle',
    make: async () => {
      const bytes = encode(Array.from({ length: 49_000 }, () => ({})))
      return () => decodeCbor(bytes)
    },
  },
  {
    name: 'CBOR of 6 MiB in one byte string',
    place: 'event loop',
    bounded: BODIES,
    allowed: 100,
    because: 'one look at six megabytes; nothing is copied',
    make: async () => {
      const bytes = encode({ a: randomBytes(BODY - 64) })
      return () => decodeCbor(bytes)
    },
  },
  {
    name: 'hash of a Commit of 2 MiB',
    place: 'event loop',
    bounded: 'MAX_COMMIT_BYTES',
    allowed: 80,
    because: 'a Commit of usual size takes microseconds; handing it to another thread takes as long',
    make: async () => {
      const bytes = randomBytes(2 * MEBIBYTE)
      return () => sha256(bytes)
    },
  },
  {
    name: 'frame of 1,024 acknowledgements',
    place: 'event loop',
    bounded: 'the size of a frame',
    allowed: 80,
    because: 'some 10 µs for each position',
    make: frame({ t: 'ack', acks: positions(1_000) }),
  },
  {
    name: 'frame of 1,024 positions to resume from',
    place: 'event loop',
    bounded: 'once in a stream',
    allowed: 80,
    because: 'some 10 µs for each position',
    make: frame({ t: 'resume', positions: positions(1_000) }),
  },
  {
    name: 'frame of 1,024 inbox acknowledgements',
    place: 'event loop',
    bounded: 'the size of a frame',
    make: frame({ t: 'inbox-ack', ids: Array.from({ length: 1_024 }, (_, id) => id) }),
  },
  {
    name: 'frame of an access token',
    place: 'event loop',
    bounded: 'the size of a frame',
    make: frame({ t: 'token', access_token: 'x'.repeat(4_096) }),
  },
  {
    name: 'frame of a ping',
    place: 'event loop',
    bounded: 'the size of a frame',
    make: frame({ t: 'ping', n: 1 }),
  },
  {
    name: 'frame of a post',
    place: 'event loop',
    bounded: 'the size of a frame',
    make: frame({ t: 'post', id: 1, group_id: randomBytes(32), message: randomBytes(63 * 1024) }),
  },
  {
    name: 'page of a log in JSON',
    place: 'event loop',
    bounded: '1 MiB a page',
    allowed: 200,
    because: 'a page of one megabyte in base64; in CBOR, as streams have it, a tenth',
    make: async () => {
      const page = { entries: Array.from({ length: LOG_PAGE_ENTRIES }, () => entry(MEBIBYTE / LOG_PAGE_ENTRIES)) }
      return () => encodeBody(page, 'application/json')
    },
  },
  {
    name: 'entries of a frame',
    place: 'event loop',
    bounded: '1 MiB a read, shared by all streams of the group',
    allowed: 300,
    because: 'a thousand entries, encoded once for all streams',
    make: async () => {
      const entries = Array.from({ length: 1_000 }, () => entry(1_000))
      return () => joinEntries(entries.map(encodeEntry))
    },
  },
]
