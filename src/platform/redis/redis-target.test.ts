import { describe, expect, it } from '@jest/globals'
import { redisTarget } from './redis-target.js'

const settings = { REDIS_MODE: 'single', REDIS_SENTINEL_NAME: 'mymaster' } as const

describe('what REDIS_URL describes', () => {
  it('nothing, when it is unset', () => {
    expect(redisTarget(settings)).toBeUndefined()
  })
  it('one server, with everything a URL can say of it', () => {
    expect(redisTarget({ ...settings, REDIS_URL: 'rediss://user:p%40ss@[::1]:7000/2' })).toEqual({
      mode: 'single',
      node: { host: '::1', port: 7000 },
      login: { username: 'user', password: 'p@ss', db: 2, tls: true },
    })
    expect(redisTarget({ ...settings, REDIS_URL: 'redis://cache' })).toEqual({
      mode: 'single',
      node: { host: 'cache', port: 6379 },
      login: { db: 0, tls: false },
    })
  })
  it('sentinels, which listen elsewhere and have a password of their own', () => {
    const target = redisTarget({
      ...settings,
      REDIS_MODE: 'sentinel',
      REDIS_URL: 'redis://:secret@s1/1, redis://s2:5000',
      REDIS_SENTINEL_PASSWORD: 'other',
    })
    expect(target).toEqual({
      mode: 'sentinel',
      sentinels: [
        { host: 's1', port: 26379 },
        { host: 's2', port: 5000 },
      ],
      name: 'mymaster',
      sentinelPassword: 'other',
      login: { password: 'secret', db: 1, tls: false },
    })
  })
  it('nodes of a cluster', () => {
    expect(redisTarget({ ...settings, REDIS_MODE: 'cluster', REDIS_URL: 'redis://a,redis://b:1' })).toEqual({
      mode: 'cluster',
      nodes: [
        { host: 'a', port: 6379 },
        { host: 'b', port: 1 },
      ],
      login: { db: 0, tls: false },
    })
  })
})
