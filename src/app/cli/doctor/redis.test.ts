import { describe, expect, it } from '@jest/globals'
import { evictionFinding } from './redis.js'

const NO_EVICTION = 'used_memory:1\r\nmaxmemory_policy:noeviction\r\n'
const LRU = 'used_memory:1\r\nmaxmemory_policy:allkeys-lru\r\n'
const SILENT = 'used_memory:1\r\n'

describe('the policy of Redis for a full memory', () => {
  it('is right if every server evicts nothing', () => {
    expect(evictionFinding([NO_EVICTION, NO_EVICTION])).toMatchObject({ grade: 'ok' })
  })
  it('is named if one server evicts, though another does not say its own', () => {
    expect(evictionFinding([NO_EVICTION, SILENT, LRU])).toMatchObject({
      grade: 'warning',
      text: expect.stringMatching(/maxmemory-policy allkeys-lru: /),
    })
  })
  it('is unknown, and no claim about jobs is made, if a server does not say it', () => {
    expect(evictionFinding([NO_EVICTION, SILENT])).toMatchObject({
      grade: 'warning',
      text: expect.stringMatching(/^Redis does not say its maxmemory-policy\./),
    })
  })
})
