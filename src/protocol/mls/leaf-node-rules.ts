import { brokenUnless, type BrokenRule } from './broken-rule.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from './signature.js'
import { credentialType } from './structures/credential.js'
import { EXTENSION_TYPES } from './structures/extension.js'
import { MLS10 } from './structures/group-context.js'
import { leafNodeTbs, type LeafNode, type LeafNodeSource } from './structures/leaf-node.js'

/** Extension types that every client supports and none lists (RFC 9420 §7.2). */
const DEFAULT_EXTENSIONS: ReadonlySet<number> = new Set(Object.values(EXTENSION_TYPES))

/** Bytes of an HPKE public key in each cipher suite (RFC 9180 §7.1). */
const HPKE_KEY_BYTES: ReadonlyMap<number, number> = new Map([
  [1, 32],
  [2, 65],
  [3, 32],
  [4, 56],
  [5, 133],
  [6, 56],
  [7, 97],
])

/** RFC 9420 §10: keys must be of the suite. Whether an elliptic point is on its curve shows only when someone uses it. */
export function hasHpkeKeyShape(suite: number, key: Uint8Array): boolean {
  return key.length === HPKE_KEY_BYTES.get(suite)
}

/** RFC 9420 §7.3: the source must be the one of the place where the leaf stands. */
export function leafNodeSource(leaf: LeafNode, expected: LeafNodeSource['kind']): BrokenRule | undefined {
  return brokenUnless(leaf.source.kind === expected, 'leaf-node-source', '7.3')
}

/** RFC 9420 §7.3. */
export async function leafNodeSignature(
  suite: number,
  leaf: LeafNode,
  place?: { groupId: Uint8Array; leafIndex: number },
): Promise<BrokenRule | undefined> {
  const scheme = SCHEME_OF_SUITE.get(suite)
  const valid =
    scheme !== undefined && (await verifyWithLabel(scheme, leaf.signatureKey, 'LeafNodeTBS', leafNodeTbs(leaf, place), leaf.signature))
  return brokenUnless(valid, 'leaf-node-signature', '7.3')
}

/** RFC 9420 §7.2: capabilities list the version, suite and credential type that the leaf itself uses. */
export function leafNodeCapabilities(suite: number, leaf: LeafNode): BrokenRule | undefined {
  const { versions, cipherSuites, credentials } = leaf.capabilities
  const listed = versions.includes(MLS10) && cipherSuites.includes(suite) && credentials.includes(credentialType(leaf.credential))
  return brokenUnless(listed, 'leaf-node-capabilities', '7.2')
}

/** RFC 9420 §7.3: each extension of a leaf is a default one or listed in its capabilities. */
export function leafNodeExtensions(leaf: LeafNode): BrokenRule | undefined {
  const listed = new Set(leaf.capabilities.extensions)
  const supported = leaf.extensions.every(({ type }) => DEFAULT_EXTENSIONS.has(type) || listed.has(type))
  return brokenUnless(supported, 'leaf-node-extensions', '7.3')
}

/** RFC 9420 §7.2, §7.3: now is within the lifetime, and the whole of it is no longer than `maxLifetime` seconds. */
export function leafNodeLifetime(leaf: LeafNode, now: Date, maxLifetime: number): BrokenRule | undefined {
  if (leaf.source.kind !== 'key-package') return undefined
  const { notBefore, notAfter } = leaf.source
  const seconds = BigInt(Math.floor(now.getTime() / 1000))
  const current = notBefore <= seconds && seconds <= notAfter
  return brokenUnless(current && notAfter - notBefore <= BigInt(maxLifetime), 'leaf-node-lifetime', '7.3')
}
