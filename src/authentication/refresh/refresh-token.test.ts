import { describe, expect, test } from '@jest/globals'
import { Secrets } from '../../platform/secrets.js'
import { decideRefresh, hashOfToken, newRefreshToken, REFRESH_TOKEN_BYTES, successorOf, tokenOf } from './refresh-token.js'

const secrets = new Secrets({ SERVER_SECRET: Buffer.alloc(32, 1).toString('base64') })

describe('a refresh token', () => {
  test('names its family as a uuid', () => {
    const token = newRefreshToken()
    expect(token.family).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(tokenOf(token.bytes)).toEqual(token)
    expect(token.bytes).toHaveLength(REFRESH_TOKEN_BYTES)
  })

  test('has one successor, of its family, that only this server can tell', () => {
    const token = newRefreshToken()
    const next = successorOf(token, secrets)
    expect(successorOf(token, secrets)).toEqual(next)
    expect(next.family).toBe(token.family)
    expect(next.bytes).toHaveLength(REFRESH_TOKEN_BYTES)
    expect(next.bytes).not.toEqual(token.bytes)
    const other = new Secrets({ SERVER_SECRET: Buffer.alloc(32, 2).toString('base64') })
    expect(successorOf(token, other).bytes).not.toEqual(next.bytes)
  })
})

describe('decideRefresh', () => {
  const [older, previous, current] = [1, 2, 3].map((n) => hashOfToken(tokenOf(new Uint8Array(REFRESH_TOKEN_BYTES).fill(n)))) as [
    Buffer,
    Buffer,
    Buffer,
  ]
  test.each([
    ['the current token', current, previous, 0, 'rotate'],
    ['the current token, much later', current, previous, 86_400_000, 'rotate'],
    ['the first token', current, null, 0, 'rotate'],
    ['the previous token, at once', previous, previous, 0, 'repeat'],
    ['the previous token, within the grace', previous, previous, 59_999, 'repeat'],
    ['the previous token, after the grace', previous, previous, 60_000, 'reused'],
    ['an older token, at once', older, previous, 0, 'reused'],
    ['a token that never was', older, null, 0, 'reused'],
  ] as const)('%s', (_case, presented, previousHash, sinceRotationMs, decision) => {
    expect(decideRefresh(presented, { tokenHash: current, previousHash, sinceRotationMs })).toBe(decision)
  })
})
