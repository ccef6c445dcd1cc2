import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { judgeStatus, parseRetryAfter, retryDelay } from './retry-policy.js'

describe('the time until the next try', () => {
  it.each([
    [1, 500, 1_000],
    [2, 1_000, 2_000],
    [5, 8_000, 16_000],
    [9, 128_000, 256_000],
    [10, 150_000, 300_000],
    [10_000, 150_000, 300_000],
  ])('after %i failures is from %i to %i ms', (failures, least, most) => {
    expect(retryDelay(failures, 0)).toBe(least)
    expect(retryDelay(failures, 1)).toBe(most)
  })

  it('is at least what the peer asks for, within an hour', () => {
    expect(retryDelay(1, 0, 60)).toBe(60_000)
    expect(retryDelay(1, 0, 1e9)).toBe(3_600_000)
  })

  it('is finite and positive, whatever comes', () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (failures, random, asked) => {
        const delay = retryDelay(failures, random, asked)
        expect(delay).toBeGreaterThanOrEqual(500)
        expect(delay).toBeLessThanOrEqual(3_600_000)
      }),
    )
  })
})

describe('a status', () => {
  it.each([
    [200, 'delivered'],
    [201, 'delivered'],
    [301, 'permanent'],
    [400, 'permanent'],
    [404, 'permanent'],
    [408, 'transient'],
    [425, 'transient'],
    [429, 'transient'],
    [500, 'transient'],
    [503, 'transient'],
  ])('%i is %s', (status, verdict) => expect(judgeStatus(status)).toBe(verdict))
})

describe('Retry-After', () => {
  const now = Date.parse('Fri, 27 Nov 2026 00:00:00 GMT')
  it.each([
    ['120', 120],
    ['0', 0],
    ['Fri, 27 Nov 2026 00:01:30 GMT', 90],
    ['Thu, 26 Nov 2026 00:00:00 GMT', 0],
    ['soon', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    [undefined, undefined],
  ])('%s is %s seconds', (value, seconds) => expect(parseRetryAfter(value, now)).toBe(seconds))
})
