import { describe, expect, it } from '@jest/globals'
import { ByteLru } from './state-cache.js'

describe('the byte-bounded cache', () => {
  it('drops what was used longest ago when the weight passes the bound', () => {
    const cache = new ByteLru<string, number>(10)
    cache.set('a', 1, 4)
    cache.set('b', 2, 4)
    expect(cache.get('a')).toBe(1)
    cache.set('c', 3, 4)
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3])
    expect(cache.bytes).toBe(8)
  })

  it('keeps nothing that is heavier than itself, and forgets the older value of its key', () => {
    const cache = new ByteLru<string, number>(10)
    cache.set('a', 1, 4)
    cache.set('a', 2, 11)
    expect(cache.get('a')).toBeUndefined()
    expect(cache.bytes).toBe(0)
  })

  it('weighs a replaced value once', () => {
    const cache = new ByteLru<string, number>(10)
    cache.set('a', 1, 4)
    cache.set('a', 2, 6)
    expect(cache.bytes).toBe(6)
  })
})
