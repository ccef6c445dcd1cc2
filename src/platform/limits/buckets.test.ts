import { describe, expect, test } from '@jest/globals'
import { Bucket, Buckets } from './buckets.js'
import { Holds } from './holds.js'

describe('a bucket', () => {
  test('gives a burst at once, then its rate', () => {
    const bucket = new Bucket({ perSecond: 10, burst: 3 })
    expect([1, 2, 3].map(() => bucket.take(1, 1_000))).toEqual([0, 0, 0])
    expect(bucket.take(1, 1_000)).toBe(100)
    expect(bucket.take(1, 1_100)).toBe(0)
    expect(bucket.take(1, 1_100)).toBe(100)
  })

  test('is full again after a rest, and never fuller', () => {
    const bucket = new Bucket({ perSecond: 10, burst: 3 })
    for (let n = 0; n < 3; n += 1) bucket.take(1, 0)
    expect(bucket.take(3, 1_000_000)).toBe(0)
    expect(bucket.take(1, 1_000_000)).toBe(100)
  })

  test('remembers a debt for what was spent beyond it', () => {
    const bucket = new Bucket({ perSecond: 100, burst: 10 })
    bucket.spend(50, 0)
    expect(bucket.waitFor(1, 0)).toBe(410)
    expect(bucket.take(1, 410)).toBe(0)
  })
})

describe('buckets by key', () => {
  test('do not share, and forget the key that was used longest ago', () => {
    const buckets = new Buckets({ perSecond: 1, burst: 1 }, 2)
    expect(buckets.take('a', 1, 0)).toBe(0)
    expect(buckets.take('b', 1, 0)).toBe(0)
    expect(buckets.take('a', 1, 0)).toBeGreaterThan(0)
    buckets.take('c', 1, 0)
    expect(buckets.take('b', 1, 0)).toBe(0)
  })
})

describe('holds', () => {
  test('never go past the cap of a key, and free what is released', () => {
    const holds = new Holds(10)
    expect(holds.take('a', 8)).toBe(true)
    expect(holds.take('a', 3)).toBe(false)
    expect(holds.take('b', 10)).toBe(true)
    expect(holds.total).toBe(18)
    holds.release('a', 8)
    expect([holds.of('a'), holds.total, holds.take('a', 10)]).toEqual([0, 10, true])
  })
})
