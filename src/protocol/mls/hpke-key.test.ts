import { createECDH, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { isUsableHpkeKey, kemOutputBytes } from './hpke-key.js'

/** SubjectPublicKeyInfo up to the key (RFC 8410). */
const MONTGOMERY = {
  x25519: { prefix: '302a300506032b656e032100', prime: 2n ** 255n - 19n, bytes: 32, suites: [1, 3] },
  x448: { prefix: '3042300506032b656f033900', prime: 2n ** 448n - 2n ** 224n - 1n, bytes: 56, suites: [4, 6] },
} as const

function littleEndian(value: bigint, bytes: number): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * bytes, '0'), 'hex').reverse()
}

describe.each(['x25519', 'x448'] as const)('a key of %s', (curve) => {
  const { prefix, prime, bytes, suites } = MONTGOMERY[curve]
  const own = generateKeyPairSync(curve as 'x25519').privateKey

  /** Whether node:crypto, which refuses a shared secret of zero, agrees on one. */
  function agrees(key: Uint8Array): boolean {
    const der = Buffer.concat([Buffer.from(prefix, 'hex'), key])
    try {
      diffieHellman({ privateKey: own, publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }) })
      return true
    } catch {
      return false
    }
  }

  const orderEight = [
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  ].map((hex) => Buffer.from(hex, 'hex'))
  const near = [0n, 1n, 2n, 3n, 9n, prime - 2n, prime - 1n, prime, prime + 1n, prime + 2n].map((value) => littleEndian(value, bytes))
  const points = curve === 'x25519' ? [...near, ...orderEight] : near

  it('is usable exactly if a secret can be agreed on with it', () => {
    // X25519 ignores the highest bit, X448 has none to spare.
    const high =
      curve === 'x25519' ? points.map((point) => Buffer.concat([point.subarray(0, -1), Buffer.of((point.at(-1) ?? 0) | 0x80)])) : []
    const all = [...points, ...high, ...Array.from({ length: 20 }, () => randomBytes(bytes))]
    for (const suite of suites) expect(all.map((key) => isUsableHpkeKey(suite, key))).toEqual(all.map(agrees))
    expect(points.filter((key) => !agrees(key)).length).toBeGreaterThan(4)
  })

  it('is of its length', () => {
    for (const suite of suites) {
      expect([bytes - 1, bytes, bytes + 1].map((length) => isUsableHpkeKey(suite, new Uint8Array(length).fill(9)))).toEqual([
        false,
        true,
        false,
      ])
      expect(kemOutputBytes(suite)).toBe(bytes)
    }
  })
})

describe.each([
  [2, 'prime256v1', 65],
  [5, 'secp521r1', 133],
  [7, 'secp384r1', 97],
] as const)('a key of suite %i', (suite, curve, bytes) => {
  const ecdh = createECDH(curve)
  ecdh.generateKeys()
  const key = ecdh.getPublicKey()

  it('is an uncompressed point of its curve', () => {
    expect([isUsableHpkeKey(suite, key), kemOutputBytes(suite), key.length]).toEqual([true, bytes, bytes])
    const off = Buffer.from(key)
    off[off.length - 1] = (off.at(-1) ?? 0) ^ 1
    const hybrid = ecdh.getPublicKey(null, 'hybrid')
    expect(
      [off, hybrid, ecdh.getPublicKey(null, 'compressed'), Buffer.alloc(bytes), key.subarray(1)].map((other) =>
        isUsableHpkeKey(suite, other),
      ),
    ).toEqual(Array.from({ length: 5 }, () => false))
  })
})

it('is of no suite that is not known', () => {
  expect([isUsableHpkeKey(8, new Uint8Array(32).fill(9)), kemOutputBytes(8)]).toEqual([false, undefined])
})
