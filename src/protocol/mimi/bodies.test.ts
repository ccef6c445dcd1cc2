import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DRAFT_BODIES } from '../../../test/support/mimi-bodies.js'
import { MICROCHAT_BODIES } from '../../../test/support/mimi-microchat-bodies.js'
import { COMMIT, GROUP_INFO, privateMessage, PROPOSAL, RECEIPT } from '../../../test/support/mimi-samples.js'
import type { Decoded } from '../tls/reader.js'
import { decodeFanoutMessage } from './fanout-message.js'
import { decodeIdentifierResponse } from './identifier-query.js'
import { receiptBytes } from './microchat/deletion.js'
import { erasureReceiptBytes } from './microchat/erasure.js'
import { signedHeadBytes, type HeadStatement } from './microchat/heads.js'
import { decodeOperationRequest } from './microchat/operation.js'
import { decodeSubmitMessageRequest } from './submit-message.js'
import { decodeUpdateRequest, encodeUpdateRequest } from './update.js'

/** Views and Buffers alike, so that values can be compared. */
const plain = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? Buffer.from(value).toString('hex')
    : Array.isArray(value)
      ? value.map(plain)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]))
        : value

describe.each([...DRAFT_BODIES, ...MICROCHAT_BODIES])('%s', (_name, { value, bytes, decode }) => {
  it('decodes to what was encoded', () => {
    const decoded = decode(bytes)
    if (decoded.kind !== 'decoded') throw new Error(decoded.reason)
    expect(plain(decoded.value)).toMatchObject(plain(value) as object)
  })

  it('is malformed where it is cut short, is too long, or is of another protocol', () => {
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(length / 64))
      expect(decode(bytes.subarray(0, length)).kind).toBe('malformed')
    expect(decode(Buffer.concat([bytes, Buffer.of(0)])).kind).toBe('malformed')
  })

  it('never throws for changed bytes', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(bytes)
        changed[at] = (changed[at] ?? 0) ^ change
        expect(['decoded', 'malformed']).toContain(decode(changed).kind)
      }),
      { numRuns: 200 },
    )
  })
})

describe('bodies that are something else', () => {
  const reasonOf = (decoded: Decoded<unknown>) => (decoded.kind === 'malformed' ? decoded.reason : 'decoded')
  it.each([
    [
      'a message that is a handshake',
      decodeSubmitMessageRequest,
      Buffer.concat([Buffer.of(1), privateMessage('commit'), Buffer.of(0)]),
      /application data/,
    ],
    ['an update that is a message', decodeUpdateRequest, privateMessage('application'), /neither a Proposal nor a Commit/],
    ['a Commit among Proposals', decodeUpdateRequest, encodeUpdateRequest({ kind: 'proposals', proposals: [PROPOSAL, COMMIT] }), /not one/],
    ['a fanned out GroupInfo', decodeFanoutMessage, Buffer.concat([Buffer.alloc(8), GROUP_INFO]), /not fanned out/],
    ['another protocol', decodeSubmitMessageRequest, Buffer.of(2), /not MLS 1.0/],
    ['text that is not UTF-8', decodeOperationRequest, Buffer.of(1, 0xff, 0, 0, 0), /UTF-8/],
    [
      'a URI without end',
      decodeOperationRequest,
      Buffer.concat([Buffer.of(0, 0x41, 0x91), Buffer.alloc(401, 97), Buffer.of(0, 0)]),
      /longer/,
    ],
    ['a reserved value', decodeIdentifierResponse, Buffer.of(9, 0, 0, 0), /enumeration/],
  ])('%s', (_what, decode: (bytes: Uint8Array) => Decoded<unknown>, bytes, reason) => {
    expect(reasonOf(decode(bytes))).toMatch(reason)
  })
})

describe('what is signed', () => {
  it('differs for each field of a head', () => {
    const resumed = { seq: 6n, kind: 'c', epoch: 1n, hash: randomBytes(32), chain: randomBytes(32) } as const
    const head: HeadStatement = {
      hub: 'a.example',
      follower: 'b.example',
      roomId: 'mimi://a.example/r/one',
      groupId: Buffer.from('g'),
      mode: 'public',
      incarnation: 1,
      seq: 5n,
      chain: randomBytes(32),
      signedAtMs: 9n,
      resumed,
    }
    const others: Partial<HeadStatement>[] = [
      {},
      { hub: 'c.example' },
      { follower: 'c.example' },
      { roomId: 'mimi://a.example/r/two' },
      { groupId: Buffer.from('h') },
      { mode: 'private' },
      { incarnation: 2 },
      { seq: 6n },
      { chain: randomBytes(32) },
      { signedAtMs: 10n },
      { resumed: undefined },
      { resumed: { ...resumed, seq: 7n } },
      { resumed: { ...resumed, kind: 'a' } },
      { resumed: { ...resumed, epoch: 2n } },
      { resumed: { ...resumed, hash: randomBytes(32) } },
      { resumed: { ...resumed, chain: randomBytes(32) } },
    ]
    expect(distinct(others.map((one) => signedHeadBytes({ ...head, ...one })))).toBe(others.length)
  })

  it('differs for each field of a receipt', () => {
    const parties = { hub: 'a.example', follower: 'b.example' }
    const deletions = [
      receiptBytes(parties, RECEIPT),
      receiptBytes({ ...parties, hub: 'c.example' }, RECEIPT),
      receiptBytes({ ...parties, follower: 'c.example' }, RECEIPT),
      ...[{ roomId: 'x' }, { groupId: Buffer.from('h') }, { incarnation: 2 }, { deletedEntries: 6n }, { deletedAtMs: 7n }].map((one) =>
        receiptBytes(parties, { ...RECEIPT, ...one }),
      ),
    ]
    const erased = { erasureId: randomBytes(32), erasedAtMs: 1n }
    const of = { user: 'mimi://a.example/u/ann', eraser: 'b.example' }
    const erasures = [
      erasureReceiptBytes(of, erased),
      erasureReceiptBytes({ ...of, user: 'mimi://a.example/u/bob' }, erased),
      erasureReceiptBytes({ ...of, user: 'mimi://c.example/u/ann' }, erased),
      erasureReceiptBytes({ ...of, eraser: 'c.example' }, erased),
      erasureReceiptBytes(of, { ...erased, erasureId: randomBytes(32) }),
      erasureReceiptBytes(of, { ...erased, erasedAtMs: 2n }),
    ]
    expect(distinct([...deletions, ...erasures])).toBe(deletions.length + erasures.length)
  })

  const distinct = (all: readonly Uint8Array[]) => new Set(all.map((one) => Buffer.from(one).toString('hex'))).size
})
