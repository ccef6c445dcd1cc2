import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { verifyKeyPackage } from './key-package-validation.js'
import { signaturePublicKey, signWithLabel } from './signature.js'
import { readKeyPackage, type KeyPackage } from './structures/key-package.js'

const { privateKey } = generateKeyPairSync('ed25519')
const stranger = generateKeyPairSync('ed25519').privateKey
const encryptionKey = randomBytes(32)
const now = new Date(1_800_000_000_000)

const right = {
  version: 1,
  suite: 1,
  initKey: randomBytes(32) as Uint8Array,
  encryptionKey: encryptionKey as Uint8Array,
  capabilities: { versions: [1], suites: [1, 0x0a0a], extensions: [0xf001, 0x1a1a], credentials: [1, 0x2a2a] },
  source: 'key-package' as 'key-package' | 'update',
  lifetime: [1_799_999_000n, 1_800_001_000n] as [bigint, bigint],
  leafExtensions: [1, 0xf001],
  leafSigner: privateKey,
  signer: privateKey,
}

async function keyPackage(change: Partial<typeof right>): Promise<KeyPackage> {
  const made = { ...right, ...change }
  const { versions, suites, extensions, credentials } = made.capabilities
  const leaf = new TlsWriter().opaque(made.encryptionKey).opaque(signaturePublicKey(privateKey)).uint16(1).opaque(Buffer.from('alice'))
  for (const list of [versions, suites, extensions, [], credentials]) leaf.vector(list, (item, value) => item.uint16(value))
  if (made.source === 'update') leaf.uint8(2)
  else leaf.uint8(1).uint64(made.lifetime[0]).uint64(made.lifetime[1])
  const unsigned = leaf.vector(made.leafExtensions, (item, type) => item.uint16(type).opaque(new Uint8Array(1))).written()
  const leafSignature = await signWithLabel(made.leafSigner, 'LeafNodeTBS', unsigned)

  const writer = new TlsWriter().uint16(made.version).uint16(made.suite).opaque(made.initKey).raw(unsigned).opaque(leafSignature)
  const tbs = writer.opaque(new Uint8Array()).written()
  const signature = await signWithLabel(made.signer, 'KeyPackageTBS', tbs)
  return readKeyPackage(new TlsReader(new TlsWriter().raw(tbs).opaque(signature).written()))
}

describe('a KeyPackage', () => {
  it('is valid, unknown values among its capabilities or not', async () => {
    expect(await verifyKeyPackage(await keyPackage({}), { now, maxLifetime: 2000 })).toEqual({ kind: 'valid' })
  })

  it.each([
    ['of an unknown version', { version: 2 }, 'key-package-cipher-suite'],
    ['of an unknown suite', { suite: 0x0a0a }, 'key-package-cipher-suite'],
    ['with an init key of another curve', { initKey: randomBytes(65) }, 'key-package-init-key-shape'],
    ['with an encryption key of another curve', { encryptionKey: randomBytes(31) }, 'leaf-node-hpke-key'],
    ['whose init key is its encryption key', { initKey: encryptionKey }, 'key-package-init-key'],
    ['whose leaf was made for an Update', { source: 'update' as const }, 'leaf-node-source'],
    ['that does not list its version', { capabilities: { ...right.capabilities, versions: [] } }, 'leaf-node-capabilities'],
    ['that does not list its suite', { capabilities: { ...right.capabilities, suites: [2] } }, 'leaf-node-capabilities'],
    ['that does not list its credential type', { capabilities: { ...right.capabilities, credentials: [2] } }, 'leaf-node-capabilities'],
    ['with an extension it does not list', { leafExtensions: [0xf002] }, 'leaf-node-extensions'],
    ['that is not valid yet', { lifetime: [1_800_000_001n, 1_800_000_100n] as [bigint, bigint] }, 'leaf-node-lifetime'],
    ['that has expired', { lifetime: [1_799_999_000n, 1_799_999_999n] as [bigint, bigint] }, 'leaf-node-lifetime'],
    ['that lives longer than allowed', { lifetime: [1_799_999_000n, 1_800_001_001n] as [bigint, bigint] }, 'leaf-node-lifetime'],
    ['whose end is before its beginning', { lifetime: [1_800_000_001n, 0n] as [bigint, bigint] }, 'leaf-node-lifetime'],
    ['whose leaf another key signed', { leafSigner: stranger }, 'leaf-node-signature'],
    ['that another key signed', { signer: stranger }, 'key-package-signature'],
  ])('is refused %s', async (_case, change, rule) => {
    expect(await verifyKeyPackage(await keyPackage(change), { now, maxLifetime: 2000 })).toMatchObject({ kind: 'invalid', rule })
  })
})
