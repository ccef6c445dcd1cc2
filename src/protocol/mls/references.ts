import { TlsWriter } from '../tls/writer.js'
import { digest, HASH_OF_SUITE, type HashAlgorithm } from './hashes.js'

const KEY_PACKAGE_LABEL = 'MLS 1.0 KeyPackage Reference'

/** KeyPackageRef of RFC 9420 §5.2 for an encoded KeyPackage (not its MLSMessage), or undefined for an unknown suite. */
export function keyPackageRef(suite: number, keyPackage: Uint8Array): Uint8Array | undefined {
  return refHash(suite, KEY_PACKAGE_LABEL, keyPackage)
}

/** The same for a suite of which nothing is known but its hash. */
export function keyPackageRefBy(algorithm: HashAlgorithm, keyPackage: Uint8Array): Uint8Array {
  return refHashBy(algorithm, KEY_PACKAGE_LABEL, keyPackage)
}

/** ProposalRef of RFC 9420 §5.2 for an encoded AuthenticatedContent, or undefined for an unknown suite. */
export function proposalRef(suite: number, authenticatedContent: Uint8Array): Uint8Array | undefined {
  return refHash(suite, 'MLS 1.0 Proposal Reference', authenticatedContent)
}

/** RefHash of RFC 9420 §5.2. */
export function refHash(suite: number, label: string, value: Uint8Array): Uint8Array | undefined {
  const algorithm = HASH_OF_SUITE.get(suite)
  return algorithm && refHashBy(algorithm, label, value)
}

function refHashBy(algorithm: HashAlgorithm, label: string, value: Uint8Array): Uint8Array {
  return digest(algorithm, new TlsWriter().opaque(Buffer.from(label)).opaque(value).written())
}
