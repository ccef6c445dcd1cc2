import { ECDH, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { signaturePublicKey } from './mls/signature.js'
import { canonicalKey, isSoundKey } from './signature-key.js'

const CURVES: [name: string, curve: string, scheme: number][] = [
  ['P-256', 'prime256v1', 0x0403],
  ['P-384', 'secp384r1', 0x0503],
  ['P-521', 'secp521r1', 0x0603],
]

function point(curve: string, form: 'compressed' | 'uncompressed' | 'hybrid'): [Buffer, Uint8Array] {
  const uncompressed = signaturePublicKey(generateKeyPairSync('ec', { namedCurve: curve }).publicKey)
  const converted = ECDH.convertKey(uncompressed, curve, undefined, undefined, form)
  return [Buffer.from(converted as Buffer), uncompressed]
}

describe('canonicalKey', () => {
  test.each(CURVES)('gives a %s point one spelling, compressed or not', (_name, curve, scheme) => {
    for (const form of ['compressed', 'uncompressed'] as const) {
      const [given, uncompressed] = point(curve, form)
      expect(canonicalKey(given)).toEqual({ scheme, publicKey: uncompressed })
    }
  })

  test.each(CURVES)('refuses a hybrid %s point, a third spelling', (_name, curve) => {
    expect(canonicalKey(point(curve, 'hybrid')[0])).toBeUndefined()
  })

  test.each(CURVES)('refuses what is not on the curve %s', (_name, curve) => {
    const [, uncompressed] = point(curve, 'uncompressed')
    uncompressed[uncompressed.length - 1] = (uncompressed.at(-1) ?? 0) ^ 1
    expect(canonicalKey(uncompressed)).toBeUndefined()
  })

  test.each([
    ['ed25519', 0x0807],
    ['ed448', 0x0808],
  ] as const)('knows %s by its length', (type, scheme) => {
    const publicKey = signaturePublicKey(
      type === 'ed25519' ? generateKeyPairSync('ed25519').publicKey : generateKeyPairSync('ed448').publicKey,
    )
    expect(canonicalKey(publicKey)).toEqual({ scheme, publicKey })
  })

  test.each([0, 1, 31, 33, 56, 58, 64, 66, 132, 134])('refuses %d zero bytes', (length) => {
    expect(canonicalKey(new Uint8Array(length))).toBeUndefined()
  })
})

describe('isSoundKey', () => {
  test('takes real keys of every scheme', () => {
    const keys = [
      ...CURVES.map(([, curve]) => point(curve, 'uncompressed')[1]),
      signaturePublicKey(generateKeyPairSync('ed25519').publicKey),
      signaturePublicKey(generateKeyPairSync('ed448').publicKey),
      signaturePublicKey(generateKeyPairSync('ml-dsa-44').publicKey),
      signaturePublicKey(generateKeyPairSync('ml-dsa-65').publicKey),
      signaturePublicKey(generateKeyPairSync('ml-dsa-87').publicKey),
    ]
    for (const key of keys) {
      const canonical = canonicalKey(key)
      expect(canonical && isSoundKey(canonical)).toBe(true)
    }
  })

  test.each([
    ['the neutral element of Ed25519', 0x0807, `01${'00'.repeat(31)}`],
    ['a point of order 2 of Ed25519', 0x0807, `ec${'ff'.repeat(30)}7f`],
    ['a point of order 8 of Ed25519', 0x0807, 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['an Ed25519 y beyond the field', 0x0807, `ef${'ff'.repeat(30)}7f`],
    ['the neutral element of Ed448', 0x0808, `01${'00'.repeat(56)}`],
    ['a key of another scheme', 0x0403, `01${'00'.repeat(31)}`],
  ])('refuses %s', (_case, scheme, hex) => {
    expect(isSoundKey({ scheme, publicKey: Buffer.from(hex, 'hex') })).toBe(false)
  })
})
