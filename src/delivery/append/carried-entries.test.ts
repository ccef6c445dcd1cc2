import { describe, expect, it } from '@jest/globals'
import { decodeServerFrame, joinEntries } from '../../protocol/frames.js'
import { hintOf } from './carried-entries.js'
import type { AppendedMessage } from './batch.js'

function message(seq: number, bytes: number): AppendedMessage {
  return {
    item: { gid: 1n, deviceId: 2n, epoch: 3n, hash: new Uint8Array(32).fill(4), bytes: new Uint8Array(bytes).fill(5) },
    outcome: {
      kind: 'accepted',
      seq: BigInt(seq),
      epoch: 3n,
      chain: Buffer.alloc(32, 6),
      incarnation: 7,
      groupId: Buffer.of(8),
      acceptedAt: new Date(9_000),
    },
  }
}

describe('the hint of appended messages', () => {
  it('carries them exactly as a stream sends them, without a word of who sent them', () => {
    const [hint] = hintOf(1n, [message(1, 10), message(2, 100_000)])
    if (hint?.kind !== 'group' || !hint.entries) throw new Error('Nothing is carried')
    expect([hint.gid, hint.headSeq, hint.incarnation]).toEqual([1n, 2n, 7])
    const decoded = decodeServerFrame(joinEntries(hint.entries.read().map(({ frame }) => frame)))
    expect(decoded).toEqual({
      kind: 'frame',
      frame: {
        t: 'entries',
        entries: [1, 2].map((seq) => ({
          group_id: Uint8Array.of(8),
          incarnation: 7,
          seq,
          kind: 'application',
          epoch: 3,
          accepted_at: 9,
          hash: new Uint8Array(32).fill(4),
          chain: new Uint8Array(32).fill(6),
          message: new Uint8Array(seq === 1 ? 10 : 100_000).fill(5),
        })),
      },
    })
    expect(Object.keys(hint.entries.read()[0]!).toSorted()).toEqual(['acceptedAt', 'epoch', 'frame', 'seq'])
  })
  it.each([['there are many', Array.from({ length: 33 }, (_, index) => message(index + 1, 1))]])(
    'carries nothing where %s',
    (_why, messages) => {
      expect(hintOf(1n, messages)).toEqual([{ kind: 'group', gid: 1n, headSeq: BigInt(messages.length) }])
    },
  )
})
