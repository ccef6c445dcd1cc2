import { describe, expect, it } from '@jest/globals'
import { Reader, setUp, settled, upTo } from '../../../test/delivery/feed-fixture.js'

describe('a feed', () => {
  it('reads on in pages until it has what the hint says, for all its readers at once', async () => {
    const { log, feed } = setUp()
    const readers = [new Reader(1n), new Reader(2n)]
    for (const reader of readers) expect(feed.join(reader)).toBe(true)
    log.head = 10
    feed.onNews({ headSeq: 10n })
    await settled()
    expect(readers.map((reader) => reader.seen)).toEqual([upTo(10), upTo(10)])
    expect(log.reads).toBe(3)
  })

  it('continues for all others when one reader fails, which looks again', async () => {
    const { log, feed } = setUp()
    const fails = new Reader(1n, 0n, () => {
      throw new Error('no')
    })
    const other = new Reader(2n)
    for (const reader of [fails, other]) feed.join(reader)
    log.head = 1
    feed.onNews({ headSeq: 1n })
    await settled()
    log.head = 2
    feed.onNews({ headSeq: 2n })
    await settled()
    expect(other.seen).toEqual([1, 2])
    expect(fails.rechecked).toBe(1)
  })

  it('only marks what it hears while it reads, and reads once more for all of that', async () => {
    const { log, feed } = setUp()
    const reader = new Reader(1n)
    feed.join(reader)
    log.head = 1
    log.held = []
    feed.onNews({ headSeq: 1n })
    for (log.head = 2; log.head < 5; log.head++) feed.onNews({ headSeq: BigInt(log.head) })
    log.head = 4
    expect(log.reads).toBe(1)
    const [first] = log.held
    log.held = undefined
    first?.()
    await settled()
    expect(reader.seen).toEqual(upTo(4))
    expect(log.reads).toBe(2)
  })

  it('misses no hint, in whichever turn of the microtask queue it comes', async () => {
    for (let turns = 0; turns < 30; turns++) {
      const { log, feed } = setUp()
      let hinted = false
      const reader = new Reader(1n, 0n, () => void later())
      const later = async () => {
        if (hinted) return
        hinted = true
        for (let turn = 0; turn < turns; turn++) await Promise.resolve()
        feed.onNews({ headSeq: BigInt((log.head = 2)) })
      }
      feed.join(reader)
      feed.onNews({ headSeq: BigInt((log.head = 1)) })
      await settled()
      expect(reader.seen).toEqual([1, 2])
    }
  })

  it('takes a reader only where it has read itself level with the others', async () => {
    const { log, feed } = setUp()
    const ahead = new Reader(1n)
    feed.join(ahead)
    feed.onNews({ headSeq: BigInt((log.head = 3)) })
    await settled()
    const late = new Reader(2n, 2n)
    expect(feed.join(late)).toBe(false)
    late.cursor = 3n
    expect(feed.join(late)).toBe(true)
    const further = new Reader(3n, 4n) // its own read saw what no hint has said yet
    expect(feed.join(further)).toBe(true)
    feed.onNews({ headSeq: BigInt((log.head = 5)) })
    await settled()
    expect([ahead.seen, late.seen, further.seen]).toEqual([[1, 2, 3, 4, 5], [4, 5], [5]])
  })

  it('reads for a reader that joins after the hint', async () => {
    const { log, feed } = setUp()
    log.head = 2
    feed.onNews({ headSeq: 2n })
    expect(log.reads).toBe(0)
    const reader = new Reader(1n, 1n)
    feed.join(reader)
    await settled()
    expect(reader.seen).toEqual([2])
  })

  it('shows a batch with a Commit to nobody whose membership it touched', async () => {
    const { log, feed } = setUp()
    const [stays, goes] = [new Reader(1n), new Reader(2n)]
    for (const reader of [stays, goes]) feed.join(reader)
    log.commits.set(2, [2n])
    feed.onNews({ headSeq: BigInt((log.head = 3)) })
    await settled()
    expect([stays.seen, stays.rechecked]).toEqual([[1, 2, 3], 0])
    expect([goes.seen, goes.rechecked]).toEqual([[], 1])
    feed.onNews({ headSeq: BigInt((log.head = 4)) })
    await settled()
    expect(goes.seen).toEqual([])
  })

  it('sends everyone to look again when the group is gone, its floor has passed them, or its incarnation changed', async () => {
    for (const change of [{ deleted: true }, { floor: 2 }, { incarnation: 2 }]) {
      const { log, feed } = setUp()
      const reader = new Reader(1n)
      feed.join(reader)
      Object.assign(log, change, { head: 3 })
      feed.onNews({ headSeq: 3n })
      await settled()
      expect([reader.seen, reader.rechecked]).toEqual([[], 1])
    }
  })

  it('is not kept busy by a hint ahead of the log, nor by entries that retention took', async () => {
    const { log, feed } = setUp()
    const reader = new Reader(1n)
    feed.join(reader)
    log.head = 1
    feed.onNews({ headSeq: 99n })
    await settled()
    expect(reader.seen).toEqual([1])
    log.empty = true
    feed.onNews({ headSeq: BigInt((log.head = 5)) })
    await settled()
    log.empty = false
    feed.onNews({ headSeq: BigInt((log.head = 6)) })
    await settled()
    expect(reader.seen).toEqual([1, 6])
    expect(log.reads).toBeLessThan(8)
  })
})
