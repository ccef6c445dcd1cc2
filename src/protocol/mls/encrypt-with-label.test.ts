import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { getCiphersuiteFromName, getCiphersuiteImpl, type CiphersuiteName } from 'ts-mls'
import { decryptWithLabel } from 'ts-mls/crypto/hpke.js'
import { encryptWithLabel } from './encrypt-with-label.js'

const SUITES: [number, CiphersuiteName][] = [
  [1, 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'],
  [2, 'MLS_128_DHKEMP256_AES128GCM_SHA256_P256'],
  [3, 'MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519'],
  [4, 'MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448'],
  [5, 'MLS_256_DHKEMP521_AES256GCM_SHA512_P521'],
  [6, 'MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448'],
  [7, 'MLS_256_DHKEMP384_AES256GCM_SHA384_P384'],
]

describe('EncryptWithLabel', () => {
  it.each(SUITES)('of suite %i opens with the private key, the label and the context', async (suite, name) => {
    const { hpke } = await getCiphersuiteImpl(getCiphersuiteFromName(name))
    const { publicKey, privateKey } = await hpke.generateKeyPair()
    const context = randomBytes(10)
    const sealing = { suite, publicKey: await hpke.exportPublicKey(publicKey), label: 'a label', context }
    const sealed = await encryptWithLabel(sealing, Buffer.from('plain'))
    const open = (label: string) => decryptWithLabel(privateKey, label, context, sealed!.kemOutput, sealed!.ciphertext, hpke)
    expect(Buffer.from(await open('a label')).toString()).toBe('plain')
    await expect(open('another label')).rejects.toThrow()
  })

  it.each([
    [1, 31],
    [2, 65],
    [8, 32],
  ])('of suite %i is not possible to %i bytes that are no key of it', async (suite, length) => {
    const sealing = { suite, publicKey: Buffer.alloc(length, 1), label: 'a label', context: new Uint8Array() }
    expect(await encryptWithLabel(sealing, Buffer.from('plain'))).toBeUndefined()
  })
})
