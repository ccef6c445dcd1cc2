import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { extendChain, initialChain, type ChainLink } from './log-chain.js'

const groupId = new Uint8Array([0, 1, 2])
const link: ChainLink = { seq: 1n, kind: 'commit', epoch: 7n, hash: new Uint8Array(32).fill(9) }

function sha256(hex: string): string {
  return createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex')
}

describe('the hash chain of a log', () => {
  it('starts from the group and its incarnation', () => {
    const label = Buffer.from('microchat log chain').toString('hex')
    expect(Buffer.from(initialChain(groupId, 258)).toString('hex')).toBe(sha256(`${label}00010200000102`))
  })

  it('covers the previous value, seq, kind, epoch and hash, in the layout of the SQL function', () => {
    const previous = initialChain(groupId, 1)
    const expected = sha256(`${Buffer.from(previous).toString('hex')}0000000000000001630000000000000007${'09'.repeat(32)}`)
    expect(Buffer.from(extendChain(previous, link)).toString('hex')).toBe(expected)
  })

  it.each([
    ['seq', { seq: 2n }],
    ['kind', { kind: 'proposal' }],
    ['epoch', { epoch: 8n }],
    ['hash', { hash: new Uint8Array(32) }],
  ] as const)('changes with the %s', (_field, change) => {
    const previous = initialChain(groupId, 1)
    expect(extendChain(previous, { ...link, ...change })).not.toEqual(extendChain(previous, link))
    expect(extendChain(initialChain(groupId, 2), link)).not.toEqual(extendChain(previous, link))
  })
})
