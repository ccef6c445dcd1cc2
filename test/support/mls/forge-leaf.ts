import { signWithLabel } from '../../../src/protocol/mls/signature.js'
import { writeCredential, type Credential } from '../../../src/protocol/mls/structures/credential.js'
import { writeExtensions, type Extension } from '../../../src/protocol/mls/structures/extension.js'
import { readLeafNode, type Capabilities, type LeafNode } from '../../../src/protocol/mls/structures/leaf-node.js'
import { TlsReader } from '../../../src/protocol/tls/reader.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'
import { newHpkeKey, SUITE, type Key } from './forge-keys.js'

type Source = { kind: 'key-package' } | { kind: 'update' } | { kind: 'commit'; parentHash: Uint8Array }
type Place = { groupId: Uint8Array; leafIndex: number }

/** What a leaf may have other than a right one; it is signed as it is. */
export interface LeafChanges {
  readonly suite?: number
  readonly encryptionKey?: Uint8Array
  readonly signatureKey?: Uint8Array
  readonly credential?: Credential
  readonly capabilities?: Partial<Capabilities>
  readonly lifetime?: readonly [notBefore: bigint, notAfter: bigint]
  readonly extensions?: readonly Extension[]
  readonly signedBy?: Key
}

export interface KeyPackageChanges {
  readonly version?: number
  readonly initKey?: Uint8Array
  readonly extensions?: readonly Extension[]
  readonly source?: Source
  readonly leaf?: LeafChanges
  readonly signedBy?: Key
}

const LISTED: Omit<Capabilities, 'cipherSuites'> = { versions: [1], extensions: [0xf000], proposals: [0x000a], credentials: [1] }

export async function forgeLeaf(key: Key, name: string, source: Source, place?: Place, changes: LeafChanges = {}): Promise<LeafNode> {
  const { suite = SUITE, lifetime = [0n, 2n ** 40n] } = changes
  const writer = new TlsWriter().opaque(changes.encryptionKey ?? newHpkeKey(suite)).opaque(changes.signatureKey ?? key.publicKey)
  writeCredential(writer, changes.credential ?? { kind: 'basic', identity: Buffer.from(name) })
  const { versions, cipherSuites, extensions, proposals, credentials } = { ...LISTED, cipherSuites: [suite], ...changes.capabilities }
  for (const list of [versions, cipherSuites, extensions, proposals, credentials]) {
    writer.vector(list, (item, value) => item.uint16(value))
  }
  if (source.kind === 'key-package') writer.uint8(1).uint64(lifetime[0]).uint64(lifetime[1])
  else if (source.kind === 'update') writer.uint8(2)
  else writer.uint8(3).opaque(source.parentHash)
  writeExtensions(writer, changes.extensions ?? [])
  const unsigned = writer.written()
  const tbs = new TlsWriter().raw(unsigned)
  if (place !== undefined && source.kind !== 'key-package') tbs.opaque(place.groupId).uint32(place.leafIndex)
  const signature = await signWithLabel((changes.signedBy ?? key).privateKey, 'LeafNodeTBS', tbs.written())
  return readLeafNode(new TlsReader(new TlsWriter().raw(unsigned).opaque(signature).written()))
}

/** A KeyPackage without framing. */
export async function forgeKeyPackage(key: Key, name: string, suite = SUITE, changes: KeyPackageChanges = {}): Promise<Uint8Array> {
  const { bytes } = await forgeLeaf(key, name, changes.source ?? { kind: 'key-package' }, undefined, { suite, ...changes.leaf })
  const writer = new TlsWriter().uint16(changes.version ?? 1).uint16(suite)
  writer.opaque(changes.initKey ?? newHpkeKey(suite)).raw(bytes)
  writeExtensions(writer, changes.extensions ?? [])
  const tbs = writer.written()
  return new TlsWriter()
    .raw(tbs)
    .opaque(await signWithLabel((changes.signedBy ?? key).privateKey, 'KeyPackageTBS', tbs))
    .written()
}
