import { describe, expect, it } from '@jest/globals'
import { ed25519Key, signContent, signLabelled, spelling, verifyLabelled, P256 } from '../../../examples/client/identity/keys.js'
import { newRecoveryWords, recoveryKey } from '../../../examples/client/identity/recovery-words.js'
import { safetyNumber } from '../../../examples/client/identity/safety-number.js'
import { decodeAll, NotDecodable, vector } from '../../../examples/client/mls/tls.js'
import { suite } from '../../../examples/client/mls/suites.js'
import { toHex, utf8 } from '../../../examples/client/wire.js'
import { signContent as serverSignContent, verifyWithLabel } from '../../../src/protocol/mls/signature.js'

const ALICE = { user: 'mimi://a.example/u/alice', identity: new Uint8Array(32).fill(1) }
const BOB = { user: 'mimi://a.example/u/bob', identity: new Uint8Array(32).fill(2) }

describe('safety numbers', () => {
  it('are sixty digits, the same at both users', () => {
    expect(safetyNumber(ALICE, BOB)).toMatch(/^(\d{5} ){11}\d{5}$/u)
    expect(safetyNumber(ALICE, BOB)).toBe(safetyNumber(BOB, ALICE))
  })

  it('change with either identity, and with either name', () => {
    const numbers = [
      safetyNumber(ALICE, BOB),
      safetyNumber({ ...ALICE, identity: BOB.identity }, BOB),
      safetyNumber(ALICE, { ...BOB, identity: ALICE.identity }),
      safetyNumber({ ...ALICE, user: 'mimi://a.example/u/alicf' }, BOB),
    ]
    expect(new Set(numbers).size).toBe(4)
  })
})

describe('recovery words', () => {
  it('give the same key, however they are written down', () => {
    const words = newRecoveryWords()
    expect(words.split(' ')).toHaveLength(24)
    expect(recoveryKey(`  ${words.toUpperCase().replaceAll(' ', '\n')} `).publicKey).toEqual(recoveryKey(words).publicKey)
    expect(newRecoveryWords()).not.toBe(words)
  })

  it('are refused when one is mistyped, missing, or two change places', () => {
    const words = `${'abandon '.repeat(23)}art`
    expect(toHex(recoveryKey(words).publicKey)).toHaveLength(64)
    for (const wrong of [words.replace('art', 'arm'), words.replace('abandon ', ''), `art ${'abandon '.repeat(22)}abandon`]) {
      expect(() => recoveryKey(wrong)).toThrow()
    }
  })

  it('of half the length are no recovery key', () => {
    expect(() => recoveryKey(`${'abandon '.repeat(11)}about`)).toThrow('24 words')
  })
})

describe('signatures', () => {
  it('are those of RFC 9420 §5.1.2, by every key that a device has', async () => {
    const content = utf8('content')
    expect(signContent('Label', content)).toEqual(serverSignContent('Label', content))
    for (const id of [1, 2]) {
      const { impl, scheme } = await suite(id)
      const { publicKey, signKey } = await impl.signature.keygen()
      const pair = { scheme, publicKey, sign: (bytes: Uint8Array) => impl.signature.sign(signKey, bytes) }
      const signature = await signLabelled(pair, 'Label', content)
      expect(await verifyWithLabel(scheme, pair.publicKey, 'Label', content, signature)).toBe(true)
      expect(verifyLabelled(pair, undefined, 'Label', content, signature)).toBe(true)
      expect(verifyLabelled(pair, undefined, 'Other', content, signature)).toBe(false)
    }
  })

  it('of keys of small order, and points off their curve, are no keys at all', () => {
    expect(spelling(ed25519Key())).toMatch(/^2055:[0-9a-f]{64}$/u)
    expect(spelling({ scheme: 0x0807, publicKey: new Uint8Array(32) })).toBeUndefined()
    expect(spelling({ scheme: P256, publicKey: new Uint8Array(65).fill(4) })).toBeUndefined()
  })
})

describe('vectors', () => {
  const lengths = [0, 0x3f, 0x40, 0x3fff, 0x4000]

  it.each(lengths)('of %i bytes come back', (length) => {
    expect(decodeAll(vector(new Uint8Array(length)), (reader) => reader.opaque())).toHaveLength(length)
  })

  it('are refused when longer spelled than need be, cut off, or followed by something', () => {
    for (const bytes of [[0x40, 1, 9], [0x80, 0, 0, 1, 9], [2, 9], [1, 9, 9], [0xc0], []]) {
      expect(() => decodeAll(Uint8Array.from(bytes), (reader) => reader.opaque())).toThrow(NotDecodable)
    }
  })
})
