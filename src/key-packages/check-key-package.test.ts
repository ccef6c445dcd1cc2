import { beforeAll, describe, expect, test } from '@jest/globals'
import type { KeyPackage } from 'ts-mls-client'
import {
  forge,
  framed,
  LAST_RESORT_COMPONENT,
  LAST_RESORT_EXTENSION,
  newKeyPackage,
  newKeyPackageMessage,
  newSignatureKey,
  SUITES,
  type SignatureKeyPair,
} from '../../test/support/key-packages.js'
import { canonicalKey } from '../protocol/signature-key.js'
import { checkKeyPackage, type UploadTerms } from './check-key-package.js'

const DAY_MS = 86_400_000
const client = 'mimi://localhost/d/alice/phone'

describe.each(SUITES)('checkKeyPackage, suite %i', (suite) => {
  let key: SignatureKeyPair
  let terms: UploadTerms
  let honest: KeyPackage

  const make = (options = {}) => newKeyPackage({ client, suite, key, ...options })
  const check = (bytes: Uint8Array, changes: Partial<UploadTerms> = {}) => checkKeyPackage(bytes, false, { ...terms, ...changes })

  beforeAll(async () => {
    key = await newSignatureKey(suite)
    terms = {
      client,
      keys: [canonicalKey(key.publicKey)!.publicKey],
      now: new Date(),
      maxLifetimeMs: 366 * DAY_MS,
      maxAgeMs: 90 * DAY_MS,
      otherSuites: new Map(),
    }
    honest = await make()
  })

  test('accepts what a client makes, and keeps what a claim asks for', async () => {
    const keyPackage = await make({ capabilities: { extensions: [0xf001, 0xf002], proposals: [0x0a0a] } })
    const verdict = await check(framed(keyPackage))
    expect(verdict).toMatchObject({
      kind: 'accepted',
      keyPackage: {
        cipherSuite: suite,
        lastResort: false,
        extensions: [0xf001, 0xf002],
        proposals: [0x0a0a],
        expiresAt: new Date(Number((keyPackage.leafNode.lifetime as { notAfter: bigint }).notAfter) * 1000),
      },
    })
  })

  test.each([
    ['the component', LAST_RESORT_COMPONENT, 'accepted'],
    ['the extension of earlier drafts', LAST_RESORT_EXTENSION, 'accepted'],
    ['a component with data', { type: 6, data: Uint8Array.of(4, 0, 4, 1, 7) }, 'last-resort-component'],
  ])('last resort by %s', async (_name, extension, expected) => {
    const verdict = await check(await newKeyPackageMessage({ client, suite, key, extensions: [extension] }))
    if (verdict.kind === 'accepted') expect(verdict.keyPackage.lastResort).toBe(true)
    expect(verdict.kind === 'refused' ? verdict.rule : verdict.kind).toBe(expected)
  })

  test('a year of lifetime is accepted, and handed out for ninety days of it', async () => {
    const keyPackage = await make({ from: 0, until: 365 * 86_400 })
    const { notBefore } = keyPackage.leafNode.lifetime as { notBefore: bigint }
    const expiresAt = new Date(Number(notBefore) * 1000 + 90 * DAY_MS)
    expect(await check(framed(keyPackage))).toMatchObject({ keyPackage: { expiresAt } })
  })

  test('a refused lifetime comes with the limit, the value and the clock', async () => {
    const now = new Date(1_900_000_000_000)
    const keyPackage = await make({ until: 366 * 86_400 })
    const { notBefore, notAfter } = keyPackage.leafNode.lifetime
    expect(await check(framed(keyPackage), { now })).toMatchObject({
      rule: 'leaf-node-lifetime',
      facts: {
        not_before: Number(notBefore),
        not_after: Number(notAfter),
        longest_lifetime: 366 * 86_400,
        longest_age: 90 * 86_400,
        server_time: 1_900_000_000,
      },
    })
  })

  test('a refused credential comes with the identity that it has to have', async () => {
    expect(await check(framed(await make({ client: 'alice' })))).toMatchObject({ rule: 'credential', facts: { expected_identity: client } })
  })

  test('a bare KeyPackage is distinguished from other bytes', async () => {
    const bytes = framed(honest).subarray(4)
    const reason =
      'it is a bare KeyPackage; wrap it in an MLSMessage of wire format mls_key_package, which puts 00 01 00 05 before it (RFC 9420 §6)'
    expect(await check(bytes)).toEqual({ kind: 'undecodable', reason })
    expect(await check(bytes.subarray(1))).not.toEqual({ kind: 'undecodable', reason })
  })

  test('last resort by the flag of the upload', async () => {
    expect(await checkKeyPackage(framed(honest), true, terms)).toMatchObject({ keyPackage: { lastResort: true } })
  })

  test.each<[string, string, () => Promise<KeyPackage>]>([
    ['another client in its credential', 'credential', () => make({ client: 'mimi://localhost/d/alice/phone2' })],
    ['the client with a byte more', 'credential', () => make({ client: `${client}\0` })],
    ['a key that the device has not registered', 'credential', async () => make({ key: await newSignatureKey(suite) })],
    ['a lifetime that is over', 'leaf-node-lifetime', () => make({ from: -7200, until: -3600 })],
    ['a lifetime that ends while it is uploaded', 'leaf-node-lifetime', () => make({ until: 5 })],
    ['a lifetime in the future', 'leaf-node-lifetime', () => make({ from: 600 })],
    ['a lifetime longer than the maximum', 'leaf-node-lifetime', () => make({ until: 366 * 86_400 })],
    ['a lifetime that began longer ago than it is handed out', 'leaf-node-lifetime', () => make({ from: -91 * 86_400, until: 86_400 })],
    [
      'the same key twice',
      'key-package-init-key',
      () =>
        forge(honest, key, (draft) => {
          draft.initKey = draft.leafNode.hpkePublicKey
        }),
    ],
    [
      'an init_key of another suite',
      'key-package-init-key-shape',
      () =>
        forge(honest, key, (draft) => {
          draft.initKey = new Uint8Array(48)
        }),
    ],
    [
      'a suite that its capabilities do not list',
      'leaf-node-capabilities',
      () =>
        forge(honest, key, (draft) => {
          draft.leafNode.capabilities = { ...draft.leafNode.capabilities, ciphersuites: [7] }
        }),
    ],
    [
      'a credential type that its capabilities do not list',
      'leaf-node-capabilities',
      () =>
        forge(honest, key, (draft) => {
          draft.leafNode.capabilities = { ...draft.leafNode.capabilities, credentials: [2] }
        }),
    ],
    [
      'an unlisted extension in the leaf',
      'leaf-node-extensions',
      () =>
        forge(honest, key, (draft) => {
          draft.leafNode.extensions = [{ extensionType: 0xf00d, extensionData: new Uint8Array() }] as never
        }),
    ],
    [
      'a leaf that was made for an Update',
      'leaf-node-source',
      () =>
        forge(honest, key, (draft) => {
          draft.leafNode.leafNodeSource = 2 as never
        }),
    ],
    [
      'a foreign signature on the leaf',
      'leaf-node-signature',
      async () => ({ ...honest, leafNode: { ...honest.leafNode, signature: (await make()).leafNode.signature } }),
    ],
    ['a foreign signature on the whole', 'key-package-signature', async () => ({ ...honest, signature: (await make()).signature })],
  ])('refuses %s', async (_name, rule, keyPackage) => {
    expect(await check(framed(await keyPackage()))).toMatchObject({ kind: 'refused', rule })
  })

  test('a clock that is a little ahead is no reason to refuse', async () => {
    expect(await check(framed(await make({ from: 30 })))).toMatchObject({ kind: 'accepted' })
  })

  test('every truncation is undecodable', async () => {
    const bytes = framed(honest)
    for (let length = 0; length < bytes.length; length++) {
      expect((await check(bytes.subarray(0, length))).kind).toBe('undecodable')
    }
  })

  test('bytes after the end are undecodable', async () => {
    expect((await check(Uint8Array.of(...framed(honest), 0))).kind).toBe('undecodable')
  })

  test('no single flipped byte passes', async () => {
    const bytes = framed(honest)
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Uint8Array.from(bytes)
      flipped[at]! ^= 0x01 + (at % 255)
      const verdict = await check(flipped)
      expect({ at, kind: verdict.kind === 'accepted' }).toEqual({ at, kind: false })
    }
  })

  test('an MLSMessage of another kind is none', async () => {
    const bytes = Uint8Array.from(framed(honest))
    bytes[3] = 3
    expect((await check(bytes)).kind).toBe('undecodable')
  })
})
