import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { schemeOfKey, signaturePublicKey, signWithLabel, verifySignature, verifyWithLabel } from './signature.js'

const message = Buffer.from('what is signed')

const pairs: [string, number, { publicKey: KeyObject; privateKey: KeyObject }][] = [
  ['ECDSA P-256', 0x0403, generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['ECDSA P-384', 0x0503, generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['ECDSA P-521', 0x0603, generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ['Ed25519', 0x0807, generateKeyPairSync('ed25519')],
  ['Ed448', 0x0808, generateKeyPairSync('ed448')],
]

describe.each(pairs)('%s', (_name, scheme, { publicKey, privateKey }) => {
  const raw = signaturePublicKey(publicKey)

  it('is the scheme of its keys', () => {
    expect(schemeOfKey(privateKey)).toBe(scheme)
    expect(signaturePublicKey(privateKey)).toEqual(raw)
  })

  it('accepts a labelled signature under that label, key and content only', async () => {
    const signature = await signWithLabel(privateKey, 'Label', message)
    const otherKey = Buffer.from(raw)
    otherKey[otherKey.length - 2] = (otherKey[otherKey.length - 2] ?? 0) ^ 1

    expect(await verifyWithLabel(scheme, raw, 'Label', message, signature)).toBe(true)
    expect(await verifyWithLabel(scheme, raw, 'label', message, signature)).toBe(false)
    expect(await verifyWithLabel(scheme, raw, 'Label', Buffer.from('other'), signature)).toBe(false)
    expect(await verifyWithLabel(scheme, otherKey, 'Label', message, signature)).toBe(false)
    expect(await verifySignature(scheme, raw, message, signature)).toBe(false)
  })

  it('gives false, never a throw, for keys and signatures of a wrong shape', async () => {
    const signature = await signWithLabel(privateKey, 'Label', message)
    const keys = [new Uint8Array(), new Uint8Array(raw.length), raw.subarray(1), Buffer.concat([raw, Buffer.of(0)])]
    for (const key of keys) expect(await verifyWithLabel(scheme, key, 'Label', message, signature)).toBe(false)

    const signatures = [new Uint8Array(), signature.subarray(1), signature.subarray(0, -1), Buffer.concat([signature, Buffer.of(0)])]
    for (const cut of signatures) expect(await verifyWithLabel(scheme, raw, 'Label', message, cut)).toBe(false)
  })

  it('does not verify under another scheme', async () => {
    const signature = await signWithLabel(privateKey, 'Label', message)
    for (const [, other] of pairs) {
      if (other !== scheme) expect(await verifyWithLabel(other, raw, 'Label', message, signature)).toBe(false)
    }
    expect(await verifyWithLabel(0x0804, raw, 'Label', message, signature)).toBe(false)
  })
})

describe.each(pairs.slice(0, 3))('%s points', (_name, scheme, { publicKey, privateKey }) => {
  const uncompressed = signaturePublicKey(publicKey)
  const size = (uncompressed.length - 1) / 2
  const parity = (uncompressed[uncompressed.length - 1] ?? 0) & 1
  const withPrefix = (prefix: number, length: number) => Buffer.concat([Buffer.of(prefix), uncompressed.subarray(1, 1 + length)])
  const signature = sign(scheme === 0x0403 ? 'sha256' : scheme === 0x0503 ? 'sha384' : 'sha512', message, privateKey)

  it('may be compressed, as deployed clients send them', async () => {
    expect(await verifySignature(scheme, withPrefix(2 + parity, size), message, signature)).toBe(true)
    expect(await verifySignature(scheme, withPrefix(3 - parity, size), message, signature)).toBe(false)
  })

  it('may not be in the hybrid form', async () => {
    expect(await verifySignature(scheme, withPrefix(6 + parity, 2 * size), message, signature)).toBe(false)
  })
})

it('refuses to sign with a key that no MLS cipher suite uses', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
  await expect(signWithLabel(privateKey, 'Label', message)).rejects.toThrow(TypeError)
})
