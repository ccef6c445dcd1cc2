import { describe, expect, it } from '@jest/globals'
import { encode } from 'cborg'
import fc from 'fast-check'
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeEntry,
  encodeFrame,
  joinEntries,
  MAX_CLIENT_FRAME_BYTES,
  type ClientFrame,
  type EntryFrame,
} from './frames.js'

const whole = fc.nat(2 ** 40)
const bytes = (max: number, min = 0) => fc.uint8Array({ minLength: min, maxLength: max })
const position = fc.record(
  { group_id: bytes(255, 1), incarnation: fc.integer({ min: 1, max: 2 ** 31 - 1 }), seq: whole },
  { noNullPrototype: true },
)
const clientFrame: fc.Arbitrary<ClientFrame> = fc.oneof(
  fc.record({ t: fc.constant('resume' as const), positions: fc.array(position) }, { noNullPrototype: true }),
  fc.record({ t: fc.constant('ack' as const), acks: fc.array(position, { minLength: 1 }) }, { noNullPrototype: true }),
  fc.record({ t: fc.constant('inbox-ack' as const), ids: fc.array(whole, { minLength: 1 }) }, { noNullPrototype: true }),
  fc.record({ t: fc.constant('token' as const), access_token: fc.string({ minLength: 1 }) }, { noNullPrototype: true }),
  fc.record({ t: fc.constant('ping' as const), n: whole }, { noNullPrototype: true }),
)
const entry: fc.Arbitrary<EntryFrame> = fc.record(
  {
    group_id: bytes(32, 1),
    incarnation: fc.constant(1),
    seq: whole,
    kind: fc.constantFrom('commit', 'proposal', 'application'),
    epoch: whole,
    accepted_at: whole,
    hash: bytes(32),
    chain: bytes(32),
    message: bytes(600),
  },
  { noNullPrototype: true },
)

describe('client frames', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(clientFrame, (frame) => {
        expect(decodeClientFrame(encodeFrame(frame))).toEqual({ kind: 'frame', frame })
      }),
    )
  })

  it('are values whatever the bytes: nothing throws', () => {
    fc.assert(
      fc.property(bytes(200), (input) => {
        expect(['frame', 'malformed']).toContain(decodeClientFrame(input).kind)
      }),
      { numRuns: 2_000 },
    )
  })

  it('are malformed when one byte is cut off or added', () => {
    fc.assert(
      fc.property(clientFrame, fc.nat(255), (frame, extra) => {
        const encoded = encodeFrame(frame)
        expect(decodeClientFrame(encoded.subarray(0, -1)).kind).toBe('malformed')
        expect(decodeClientFrame(Uint8Array.of(...encoded, extra)).kind).toBe('malformed')
      }),
    )
  })

  it('are values when bytes of a good frame are overwritten', () => {
    fc.assert(
      fc.property(clientFrame, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), (frame, changes) => {
        const damaged = Uint8Array.from(encodeFrame(frame))
        for (const [at, value] of changes) damaged[at % damaged.length] = value
        expect(['frame', 'malformed']).toContain(decodeClientFrame(damaged).kind)
      }),
      { numRuns: 1_000 },
    )
  })

  const group_id = Uint8Array.of(1)
  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['another type', encode({ t: 'entries', entries: [] })],
    ['an unknown member', encode({ t: 'ping', n: 1, more: 1 })],
    ['a negative number', encode({ t: 'ping', n: -1 })],
    ['a number past 2^53', encode({ t: 'ping', n: 2n ** 60n })],
    ['a fraction', encode({ t: 'ping', n: 1.5 })],
    ['an empty group id', encode({ t: 'ack', acks: [{ group_id: new Uint8Array(), incarnation: 1, seq: 1 }] })],
    ['an incarnation 0', encode({ t: 'ack', acks: [{ group_id, incarnation: 0, seq: 1 }] })],
    ['too many acks', encode({ t: 'ack', acks: Array.from({ length: 1_025 }, () => ({ group_id, incarnation: 1, seq: 1 })) })],
    ['a long token', encode({ t: 'token', access_token: 'x'.repeat(5_000) })],
    ['a length not in its shortest form', Uint8Array.of(0xa2, 0x61, 0x74, 0x64, 0x70, 0x69, 0x6e, 0x67, 0x61, 0x6e, 0x18, 0x01)],
    ['a duplicate key', Uint8Array.of(0xa3, 0x61, 0x74, 0x64, 0x70, 0x69, 0x6e, 0x67, 0x61, 0x6e, 0x01, 0x61, 0x6e, 0x02)],
    ['nesting as deep as a frame is long', new Uint8Array(MAX_CLIENT_FRAME_BYTES).fill(0x81)],
    [
      'a map key __proto__',
      Uint8Array.of(0xa1, 0x69, ...new TextEncoder().encode('__proto__'), 0xa2, 0x61, 0x74, 0x64, 0x70, 0x69, 0x6e, 0x67, 0x61, 0x6e, 0x01),
    ],
  ])('are malformed with %s', (_what, input) => {
    expect(decodeClientFrame(input)).toMatchObject({ kind: 'malformed' })
  })
})

describe('the entries frame', () => {
  it('joins entries that were encoded apart into what encoding them together gives', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 30 }), (entries) => {
        const joined = joinEntries(entries.map(encodeEntry))
        expect(joined).toEqual(Buffer.from(encodeFrame({ t: 'entries', entries })))
        expect(decodeServerFrame(joined)).toEqual({ kind: 'frame', frame: { t: 'entries', entries } })
      }),
      { numRuns: 50 },
    )
  })

  it('holds more than 255 of them', () => {
    const one = encodeEntry({
      group_id: Uint8Array.of(1),
      incarnation: 1,
      seq: 1,
      kind: 'proposal',
      epoch: 0,
      accepted_at: 0,
      hash: Uint8Array.of(),
      chain: Uint8Array.of(),
      message: Uint8Array.of(),
    })
    const decoded = decodeServerFrame(joinEntries(Array.from({ length: 300 }, () => one)))
    expect(decoded.kind === 'frame' && decoded.frame.t === 'entries' && decoded.frame.entries.length).toBe(300)
  })
})
