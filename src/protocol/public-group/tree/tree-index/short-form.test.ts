import { createECDH, ECDH } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { shortForm } from './tree-index.js'

describe('the short form of a key', () => {
  it.each(['prime256v1', 'secp384r1', 'secp521r1'])('is the compressed point of %s', (curve) => {
    const ecdh = createECDH(curve)
    const point = new Uint8Array(ecdh.generateKeys())
    const compressed = new Uint8Array(ECDH.convertKey(point, curve, undefined, undefined, 'compressed') as Buffer)
    expect(shortForm(point)).toEqual(compressed)
    expect(shortForm(compressed)).toEqual(compressed)
  })

  it.each([32, 56, 57, 64])('is the key itself for %i bytes that begin like a point', (length) => {
    const key = new Uint8Array(length).fill(7)
    key[0] = 4
    expect(shortForm(key)).toEqual(key)
  })

  it('is the key itself for what is as long as a point and begins otherwise', () => {
    const key = new Uint8Array(65).fill(7)
    expect(shortForm(key)).toEqual(key)
  })
})
