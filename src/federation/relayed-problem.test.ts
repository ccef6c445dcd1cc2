import { describe, expect, it } from '@jest/globals'
import { encodeCbor } from '../platform/http/encode.js'
import { RateLimited } from '../platform/http/problem.js'
import { decodeRelayedProblem, encodeRelayedProblem } from './relayed-problem.js'
import { hubProblem, peerProblem } from './peer-problems.js'

const PROBLEM = { status: 409, type: 'stale-epoch', detail: 'The group has moved on.', extension: { current_epoch: 4 } }
const carried = (change: object) => decodeRelayedProblem(encodeCbor({ ...PROBLEM, ...change }))

describe('a problem that a hub tells', () => {
  it('reaches the client as it is', () => {
    const { bytes } = encodeRelayedProblem(new RateLimited(7))
    expect(decodeRelayedProblem(bytes)).toMatchObject({ status: 429, type: 'rate-limited', extension: { retry_after: 7 }, retryAfter: 7 })
    expect(carried({})).toMatchObject(PROBLEM)
  })

  it('may bring as many entries as there are', () => {
    const entries = Array.from({ length: 50 }, () => ({ seq: 1, bytes: Buffer.alloc(1_000) }))
    expect(carried({ extension: { entries } })?.extension['entries']).toHaveLength(50)
    expect(carried({ type: 'proposals-pending', extension: { proposals: entries } })?.extension['proposals']).toHaveLength(50)
  })

  it.each([401, 402, 405, 407, 451, 500, 502, 599])(
    'does not reach it with status %i, which would say something of this server',
    (status) => {
      expect(carried({ status })).toMatchObject({ status: 502, type: 'hub-refused', extension: {} })
    },
  )

  it.each([
    ['a status of success', { status: 200 }],
    ['a type in capitals', { type: 'Stale' }],
    ['a type like a path', { type: 'a:b/c' }],
    ['no type', { type: '' }],
    ['a long type', { type: 'a'.repeat(65) }],
    ['a long sentence', { detail: 'a'.repeat(1_001) }],
    ...['type', 'title', 'status', 'detail', 'instance', 'Entries', 'a'.repeat(65), ''].map((name): [string, object] => [
      `the member "${name.slice(0, 10)}"`,
      { extension: { [name]: 1 } },
    ]),
    ['much besides', { extension: { reason: 'a'.repeat(8_192) } }],
    ['entries that are none', { extension: { entries: 'a'.repeat(8_192) } }],
  ])('is none with %s', (_what, change) => {
    expect(carried(change)).toBeUndefined()
  })

  it('is none with a prototype', () => {
    const bytes = Buffer.from(encodeCbor({ ...PROBLEM, extension: { aaaaaaaaa: 1 } }))
    expect(decodeRelayedProblem(bytes)).toBeDefined()
    bytes.write('__proto__', bytes.indexOf('aaaaaaaaa'))
    expect(decodeRelayedProblem(bytes)).toBeUndefined()
  })

  it('puts nobody off for longer than an hour', () => {
    const late = carried({ status: 429, extension: { retry_after: 1e9 }, retry_after: 1e9 })
    expect(late).toMatchObject({ extension: { retry_after: 3_600 }, retryAfter: 3_600 })
    const answer = { kind: 'answered', status: 429, body: new Uint8Array(), retryAfter: '999999999', problem: undefined } as const
    for (const problem of [hubProblem(answer), peerProblem(answer), hubProblem({ ...answer, status: 503 })])
      expect(problem.retryAfter).toBe(3_600)
  })
})
