import { createPrivateKey } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { deviceLoginContent, DEVICE_LOGIN_LABEL, type DeviceLogin } from './device-login.js'
import { signaturePublicKey, signWithLabel, verifyWithLabel } from './mls/signature.js'

const login: DeviceLogin = {
  domain: 'example.com',
  client: 'mimi://example.com/d/alice/phone',
  nonce: Uint8Array.from({ length: 32 }, (_, index) => index),
  expiresAt: 1_700_000_000n,
}
const CONTENT =
  '0b6578616d706c652e636f6d' +
  '206d696d693a2f2f6578616d706c652e636f6d2f642f616c6963652f70686f6e65' +
  '20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f' +
  '000000006553f100'
const PUBLIC_KEY = 'ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c'
const SIGNATURE =
  '51a409205ccebea09d8e5c99ee76ce8ee26a5c3d545877450fd5f01847f1bc81be05bba4f9eb918042d6c6fc9ef203fcf5b214a658614564b7fcb608aa75f005'
/** PKCS #8 (RFC 8410 §7) of the private key of 32 bytes 07. */
const key = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]),
  format: 'der',
  type: 'pkcs8',
})

describe('a device login', () => {
  test('is encoded as documented', () => {
    expect(Buffer.from(deviceLoginContent(login)).toString('hex')).toBe(CONTENT)
  })

  test('has the documented Ed25519 signature', async () => {
    const signature = await signWithLabel(key, DEVICE_LOGIN_LABEL, deviceLoginContent(login))
    expect(Buffer.from(signature).toString('hex')).toBe(SIGNATURE)
    expect(Buffer.from(signaturePublicKey(key)).toString('hex')).toBe(PUBLIC_KEY)
  })

  test.each<[string, Partial<DeviceLogin>]>([
    ['another domain', { domain: 'example.net' }],
    ['another client', { client: 'mimi://example.com/d/alice/laptop' }],
    ['another nonce', { nonce: new Uint8Array(32) }],
    ['another expiry', { expiresAt: 1_700_000_001n }],
    ['a boundary moved between two members', { domain: 'example.co', client: 'mmimi://example.com/d/alice/phone' }],
  ])('is not proven by a signature for %s', async (_case, change) => {
    const signature = await signWithLabel(key, DEVICE_LOGIN_LABEL, deviceLoginContent({ ...login, ...change }))
    expect(await verifyWithLabel(0x0807, signaturePublicKey(key), DEVICE_LOGIN_LABEL, deviceLoginContent(login), signature)).toBe(false)
  })

  test('is not proven by a signature under an MLS label', async () => {
    const signature = await signWithLabel(key, 'FramedContentTBS', deviceLoginContent(login))
    expect(await verifyWithLabel(0x0807, signaturePublicKey(key), DEVICE_LOGIN_LABEL, deviceLoginContent(login), signature)).toBe(false)
  })
})
