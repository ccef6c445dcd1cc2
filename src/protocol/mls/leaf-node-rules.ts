import { decodeWhole } from '../tls/reader.js'
import { brokenUnless, type BrokenRule } from './rules.js'
import { lists } from './grease.js'
import { isUsableHpkeKey } from './hpke-key.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from './signature.js'
import { credentialType } from './structures/credential.js'
import { DEFAULT_EXTENSIONS, EXTENSION_TYPES, extensionData } from './structures/extension.js'
import { MLS10 } from './structures/group-info.js'
import { leafNodeTbs, type LeafNode, type LeafNodeSource } from './structures/leaf-node.js'

/** When a lifetime has to hold, and the most seconds from its not_before to its not_after. */
export interface LifetimeLimits {
  readonly now: Date
  readonly maxLifetime: number
}

/** Where a leaf stands, which it signs if it was made for that place. */
export interface LeafPlace {
  readonly groupId: Uint8Array
  readonly leafIndex: number
}

/** The rules of RFC 9420 §7.3 for a leaf that need neither its group nor its signature: undefined, or the first one broken. */
export function leafNodeContent(suite: number, leaf: LeafNode): BrokenRule | undefined {
  return leafNodeHpkeKey(suite, leaf) ?? leafNodeStatements(suite, leaf)
}

/** `leafNodeContent` without the encryption key's shape, so that it works for a suite whose KEM is not known. */
export function leafNodeStatements(suite: number, leaf: LeafNode): BrokenRule | undefined {
  return leafNodeCapabilities(suite, leaf) ?? leafNodeExtensionPlace(leaf) ?? leafNodeExtensions(leaf) ?? leafNodeApplicationId(leaf)
}

/** RFC 9420 §7.3: the source must be the one of the place where the leaf stands. */
export function leafNodeSource(leaf: LeafNode, expected: LeafNodeSource['kind']): BrokenRule | undefined {
  return brokenUnless(leaf.source.kind === expected, 'leaf-node-source')
}

/** RFC 9420 §7.2, §7.3: signed by the leaf's own key, over `place` too unless it is of a KeyPackage. An unknown suite is a wrong signature. */
export function leafNodeSignature(suite: number, leaf: LeafNode, place?: LeafPlace): Promise<BrokenRule | undefined> {
  return leafNodeSignatureBy(SCHEME_OF_SUITE.get(suite), leaf, place)
}

/** `leafNodeSignature` by a TLS SignatureScheme (RFC 8446 §4.2.3); for undefined no signature is right. Never rejects. */
export async function leafNodeSignatureBy(scheme: number | undefined, leaf: LeafNode, place?: LeafPlace): Promise<BrokenRule | undefined> {
  const valid =
    scheme !== undefined && (await verifyWithLabel(scheme, leaf.signatureKey, 'LeafNodeTBS', leafNodeTbs(leaf, place), leaf.signature))
  return brokenUnless(valid, 'leaf-node-signature')
}

/** RFC 9420 §7.2, §7.3: now is within the lifetime, and the whole of it is no longer than allowed. */
export function leafNodeLifetime(leaf: LeafNode, { now, maxLifetime }: LifetimeLimits): BrokenRule | undefined {
  if (leaf.source.kind !== 'key-package') return undefined
  const { notBefore, notAfter } = leaf.source
  const seconds = BigInt(Math.floor(now.getTime() / 1000))
  const current = notBefore <= seconds && seconds <= notAfter
  return brokenUnless(current && notAfter - notBefore <= BigInt(maxLifetime), 'leaf-node-lifetime')
}

/** RFC 9420 §10: the key is of the suite. */
function leafNodeHpkeKey(suite: number, leaf: LeafNode): BrokenRule | undefined {
  return brokenUnless(isUsableHpkeKey(suite, leaf.encryptionKey), 'leaf-node-hpke-key')
}

/** RFC 9420 §7.2: capabilities list the version, suite and credential type that the leaf itself uses. */
function leafNodeCapabilities(suite: number, leaf: LeafNode): BrokenRule | undefined {
  const { versions, cipherSuites, credentials } = leaf.capabilities
  const listed = versions.includes(MLS10) && cipherSuites.includes(suite) && lists(credentials, credentialType(leaf.credential))
  return brokenUnless(listed, 'leaf-node-capabilities')
}

/** RFC 9420 §17.3: application_id is the only one of the RFC's own extensions that may appear in a leaf. */
function leafNodeExtensionPlace(leaf: LeafNode): BrokenRule | undefined {
  const holds = leaf.extensions.every(({ type }) => type === EXTENSION_TYPES.applicationId || !DEFAULT_EXTENSIONS.has(type))
  return brokenUnless(holds, 'leaf-node-extension-place')
}

/** RFC 9420 §7.3: each extension of a leaf is a default one or listed in its capabilities, GREASE among them (§13.5). */
function leafNodeExtensions(leaf: LeafNode): BrokenRule | undefined {
  const listed = new Set(leaf.capabilities.extensions)
  return brokenUnless(
    leaf.extensions.every(({ type }) => DEFAULT_EXTENSIONS.has(type) || listed.has(type)),
    'leaf-node-extensions',
  )
}

/** RFC 9420 §5.3.3: a client that reads its peers' application_ids could not read this leaf otherwise. */
function leafNodeApplicationId(leaf: LeafNode): BrokenRule | undefined {
  const data = extensionData(leaf.extensions, EXTENSION_TYPES.applicationId)
  const holds = data === undefined || decodeWhole(data, (reader) => reader.opaque()).kind === 'decoded'
  return brokenUnless(holds, 'leaf-node-application-id')
}
