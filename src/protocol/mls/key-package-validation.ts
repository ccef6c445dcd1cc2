import { brokenUnless, type BrokenRule } from './broken-rule.js'
import {
  hasHpkeKeyShape,
  leafNodeCapabilities,
  leafNodeExtensions,
  leafNodeLifetime,
  leafNodeSignature,
  leafNodeSource,
} from './leaf-node-rules.js'
import { sameBytes } from './same-bytes.js'
import { SCHEME_OF_SUITE, verifyWithLabel } from './signature.js'
import { MLS10 } from './structures/group-context.js'
import type { KeyPackage } from './structures/key-package.js'

export type KeyPackageVerdict = { readonly kind: 'valid' } | ({ readonly kind: 'invalid' } & BrokenRule)

/**
 * All of RFC 9420 §10.1 that does not need a group; `maxLifetime` is in seconds. Whether the credential is the uploading
 * device's is for the caller to check.
 */
export async function verifyKeyPackage(
  keyPackage: KeyPackage,
  now: Date,
  { maxLifetime }: { maxLifetime: number },
): Promise<KeyPackageVerdict> {
  const { cipherSuite, leafNode } = keyPackage
  const broken =
    keyPackageSuite(keyPackage) ??
    keyPackageKeys(keyPackage) ??
    leafNodeSource(leafNode, 'key-package') ??
    leafNodeCapabilities(cipherSuite, leafNode) ??
    leafNodeExtensions(leafNode) ??
    leafNodeLifetime(leafNode, now, maxLifetime) ??
    (await leafNodeSignature(cipherSuite, leafNode)) ??
    (await keyPackageSignature(keyPackage))
  return broken === undefined ? { kind: 'valid' } : { kind: 'invalid', ...broken }
}

/** RFC 9420 §10.1: version and suite are ones that groups here can have. */
function keyPackageSuite({ version, cipherSuite }: KeyPackage): BrokenRule | undefined {
  return brokenUnless(version === MLS10 && SCHEME_OF_SUITE.has(cipherSuite), 'key-package-cipher-suite', '10.1')
}

/** RFC 9420 §10, §10.1: init_key and encryption_key are keys of the suite, and differ. */
function keyPackageKeys({ cipherSuite, initKey, leafNode }: KeyPackage): BrokenRule | undefined {
  const shaped = hasHpkeKeyShape(cipherSuite, initKey) && hasHpkeKeyShape(cipherSuite, leafNode.encryptionKey)
  if (!shaped) return { rule: 'key-package-keys', section: '10' }
  return brokenUnless(!sameBytes(initKey, leafNode.encryptionKey), 'key-package-init-key', '10.1')
}

/** RFC 9420 §10.1. */
async function keyPackageSignature({ cipherSuite, leafNode, tbs, signature }: KeyPackage): Promise<BrokenRule | undefined> {
  const scheme = SCHEME_OF_SUITE.get(cipherSuite)
  const valid = scheme !== undefined && (await verifyWithLabel(scheme, leafNode.signatureKey, 'KeyPackageTBS', tbs, signature))
  return brokenUnless(valid, 'key-package-signature', '10.1')
}
