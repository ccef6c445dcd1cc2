import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { AckBook } from './ack-book.js'
import type { Ack } from './acks.repository.js'

const ack = (deviceId: number, gid: number, seq: number, incarnation = 1): Ack => ({
  deviceId: BigInt(deviceId),
  gid: BigInt(gid),
  seq: BigInt(seq),
  incarnation,
})
const anyAck = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(20), fc.integer({ min: 1, max: 2 })).map(([d, g, s, i]) => ack(d, g, s, i))

describe('the ack book', () => {
  it('holds for each device and group the highest seq of the newest incarnation, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(anyAck, { maxLength: 60 }), (acks) => {
        const book = new AckBook()
        for (const one of acks) book.record(one)
        for (const { deviceId, gid } of acks) {
          const own = acks.filter((other) => other.deviceId === deviceId && other.gid === gid)
          const newest = Math.max(...own.map((other) => other.incarnation))
          const seqs = own.filter((other) => other.incarnation === newest).map((other) => Number(other.seq))
          expect(book.seqOf(deviceId, gid, newest)).toBe(BigInt(Math.max(...seqs)))
        }
        expect(book.size).toBe(new Set(acks.map(({ deviceId, gid }) => `${deviceId} ${gid}`)).size)
      }),
    )
  })

  it('gives its rows sorted, in pages', () => {
    const book = new AckBook()
    for (const one of [ack(2, 1, 1), ack(1, 9, 1), ack(1, 2, 1), ack(3, 1, 1), ack(10, 1, 1)]) book.record(one)
    const pages = book.pages(2)
    expect(pages.map((page) => page.map(({ deviceId, gid }) => [Number(deviceId), Number(gid)]))).toEqual([
      [
        [1, 2],
        [1, 9],
      ],
      [
        [2, 1],
        [3, 1],
      ],
      [[10, 1]],
    ])
    expect(book.pages(9, [2n]).flat()).toHaveLength(1)
  })

  it('forgets what was written, but nothing acknowledged since', () => {
    const book = new AckBook()
    book.record(ack(1, 1, 5))
    book.record(ack(1, 2, 5))
    const [page = []] = book.pages(9)
    book.record(ack(1, 1, 6))
    book.written(page)
    expect([book.size, book.seqOf(1n, 1n, 1), book.seqOf(1n, 2n, 1)]).toEqual([1, 6n, undefined])
  })
})
