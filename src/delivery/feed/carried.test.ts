import { describe, expect, it } from '@jest/globals'
import { carried, Reader, setUp, settled, upTo } from '../../../test/delivery/feed-fixture.js'

describe('a feed that gets entries with the news', () => {
  it('passes on what a hint brings along, without reading', async () => {
    const { log, feed } = setUp()
    const readers = [new Reader(1n), new Reader(2n)]
    for (const reader of readers) feed.join(reader)
    log.head = 2
    feed.onNews({ headSeq: 2n, incarnation: 1, entries: carried(1, 2) })
    log.head = 3
    feed.onNews({ headSeq: 2n, incarnation: 1, entries: carried(1, 2) }) // a second time
    await settled()
    feed.onNews({ headSeq: 3n, incarnation: 1, entries: carried(3) })
    await settled()
    expect(readers.map((reader) => reader.seen)).toEqual([upTo(3), upTo(3)])
    expect(log.reads).toBe(0)
  })

  it.each([
    ['something is missing before it: that might be a Commit', { headSeq: 3n, incarnation: 1, entries: carried(3) }],
    ['something is missing in it', { headSeq: 3n, incarnation: 1, entries: carried(1, 3) }],
    ['it ends before the log does', { headSeq: 3n, incarnation: 1, entries: carried(1, 2) }],
    ['it is of another incarnation', { headSeq: 3n, incarnation: 2, entries: carried(1, 2, 3) }],
    ['it is of no incarnation', { headSeq: 3n, entries: carried(1, 2, 3) }],
  ])('reads the log itself where %s', async (_why, news) => {
    const { log, feed } = setUp()
    const [stays, goes] = [new Reader(1n), new Reader(2n)]
    for (const reader of [stays, goes]) feed.join(reader)
    log.commits.set(2, [2n])
    log.head = 3
    feed.onNews(news)
    await settled()
    expect([stays.seen, stays.rechecked]).toEqual([upTo(3), 0])
    expect([goes.seen, goes.rechecked]).toEqual([[], 1])
    expect(log.reads).toBe(1)
  })

  it('reads what was brought along while it was reading, in order', async () => {
    const { log, feed } = setUp()
    const reader = new Reader(1n)
    feed.join(reader)
    log.head = 1
    log.held = []
    feed.onNews({ headSeq: 1n })
    log.head = 2
    feed.onNews({ headSeq: 2n, incarnation: 1, entries: carried(2) })
    const [first] = log.held
    log.held = undefined
    first?.()
    await settled()
    expect(reader.seen).toEqual([1, 2])
  })
})
