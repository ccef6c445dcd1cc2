import { brokenUnless, type BrokenRule } from './rules.js'
import { isGrease } from './grease.js'
import { isUsableHpkeKey } from './hpke-key.js'
import {
  leafNodeContent,
  leafNodeLifetime,
  leafNodeSignature,
  leafNodeSignatureBy,
  leafNodeSource,
  leafNodeStatements,
  type LifetimeLimits,
} from './leaf-node-rules.js'
import { sameBytes } from '../bytes.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from './signature.js'
import { MLS10 } from './structures/group-info.js'
import type { KeyPackage } from './structures/key-package.js'

/** `invalid` names the first rule that the KeyPackage breaks. */
export type KeyPackageVerdict = { readonly kind: 'valid' } | ({ readonly kind: 'invalid' } & BrokenRule)

/**
 * All of RFC 9420 §10.1 that does not need a group, for a KeyPackage of a suite of §17.1. Whether the credential is the uploading
 * device's is for the caller to check.
 */
export async function verifyKeyPackage(keyPackage: KeyPackage, lifetimes: LifetimeLimits): Promise<KeyPackageVerdict> {
  const broken = keyPackageSuite(keyPackage) ?? keyPackageContent(keyPackage, lifetimes) ?? (await keyPackageSignatures(keyPackage))
  return broken === undefined ? { kind: 'valid' } : { kind: 'invalid', ...broken }
}

/**
 * `verifyKeyPackage` for a suite that RFC 9420 does not list, whose uploader names the signature scheme (RFC 8446 §4.2.3). The KEM is
 * not known, so the shape of HPKE keys is not checked.
 */
export async function verifyOtherKeyPackage(keyPackage: KeyPackage, scheme: number, lifetimes: LifetimeLimits): Promise<KeyPackageVerdict> {
  const { version, cipherSuite, leafNode } = keyPackage
  const broken =
    brokenUnless(version === MLS10 && !isGrease(cipherSuite), 'key-package-cipher-suite') ??
    distinctKeys(keyPackage) ??
    leafNodeSource(leafNode, 'key-package') ??
    leafNodeStatements(cipherSuite, leafNode) ??
    leafNodeLifetime(leafNode, lifetimes) ??
    (await leafNodeSignatureBy(scheme, leafNode)) ??
    (await keyPackageSignatureBy(scheme, keyPackage))
  return broken === undefined ? { kind: 'valid' } : { kind: 'invalid', ...broken }
}

/** The rules of RFC 9420 §10.1 that need no signature: undefined, or the first one broken. Without `lifetimes` those are not checked. */
export function keyPackageContent(keyPackage: KeyPackage, lifetimes: LifetimeLimits | undefined): BrokenRule | undefined {
  const { cipherSuite, leafNode } = keyPackage
  return (
    keyPackageInitKey(keyPackage) ??
    leafNodeSource(leafNode, 'key-package') ??
    leafNodeContent(cipherSuite, leafNode) ??
    (lifetimes && leafNodeLifetime(leafNode, lifetimes))
  )
}

/** The KeyPackage's own signature and its leaf's (RFC 9420 §7.2, §10): undefined, or the one that is wrong. Never rejects. */
export async function keyPackageSignatures(keyPackage: KeyPackage): Promise<BrokenRule | undefined> {
  return (
    (await leafNodeSignature(keyPackage.cipherSuite, keyPackage.leafNode)) ??
    (await keyPackageSignatureBy(SCHEME_OF_SUITE.get(keyPackage.cipherSuite), keyPackage))
  )
}

/** RFC 9420 §10.1: version and suite are ones that groups here can have. */
function keyPackageSuite({ version, cipherSuite }: KeyPackage): BrokenRule | undefined {
  return brokenUnless(version === MLS10 && SCHEME_OF_SUITE.has(cipherSuite), 'key-package-cipher-suite')
}

/** RFC 9420 §10, §10.1: init_key is a key of the suite, and not the leaf's. */
function keyPackageInitKey(keyPackage: KeyPackage): BrokenRule | undefined {
  const { cipherSuite, initKey } = keyPackage
  return brokenUnless(isUsableHpkeKey(cipherSuite, initKey), 'key-package-init-key-shape') ?? distinctKeys(keyPackage)
}

function distinctKeys({ initKey, leafNode }: KeyPackage): BrokenRule | undefined {
  return brokenUnless(!sameBytes(initKey, leafNode.encryptionKey), 'key-package-init-key')
}

/** RFC 9420 §10.1. */
async function keyPackageSignatureBy(
  scheme: number | undefined,
  { leafNode, tbs, signature }: KeyPackage,
): Promise<BrokenRule | undefined> {
  const valid = scheme !== undefined && (await verifyWithLabel(scheme, leafNode.signatureKey, 'KeyPackageTBS', tbs, signature))
  return brokenUnless(valid, 'key-package-signature')
}
