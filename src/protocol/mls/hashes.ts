import { hash } from 'node:crypto'
import { TlsWriter } from '../tls/writer.js'

/** Hash algorithms, as node:crypto names them. */
export type HashAlgorithm = 'sha256' | 'sha384' | 'sha512'

/** The hash of each cipher suite of RFC 9420 §17.1: the suites the server can follow. */
export const HASH_OF_SUITE: ReadonlyMap<number, HashAlgorithm> = new Map([
  [1, 'sha256'],
  [2, 'sha256'],
  [3, 'sha256'],
  [4, 'sha512'],
  [5, 'sha512'],
  [6, 'sha512'],
  [7, 'sha384'],
])

const HASH_BYTES: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 }

/** KDF.Nh and the length of a MAC: the length of the suite's hash. Zero for an unknown suite. */
export function hashBytes(suite: number): number {
  const algorithm = HASH_OF_SUITE.get(suite)
  return algorithm === undefined ? 0 : HASH_BYTES[algorithm]
}

/**
 * The hash of `bytes`: 32, 48 or 64 bytes. One-shot, which for inputs of this size takes half the time of `createHash`. By way of a
 * string, because a hash as Buffer has memory outside the JavaScript heap: the 32,768 nodes of a large tree then take ten times as
 * long, most of it collecting.
 */
export function digest(algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array {
  const characters = hash(algorithm, bytes, 'binary')
  const output = new Uint8Array(characters.length)
  for (let at = 0; at < output.length; at++) output[at] = characters.charCodeAt(at)
  return output
}

const KEY_PACKAGE_LABEL = 'MLS 1.0 KeyPackage Reference'

/** KeyPackageRef of RFC 9420 §5.2 for an encoded KeyPackage (not its MLSMessage), or undefined for an unknown suite. */
export function keyPackageRef(suite: number, keyPackage: Uint8Array): Uint8Array | undefined {
  return refHash(suite, KEY_PACKAGE_LABEL, keyPackage)
}

/** `keyPackageRef` for a suite that is not listed here, whose hash the uploader names. */
export function keyPackageRefBy(algorithm: HashAlgorithm, keyPackage: Uint8Array): Uint8Array {
  return refHashBy(algorithm, KEY_PACKAGE_LABEL, keyPackage)
}

/** ProposalRef of RFC 9420 §5.2 for an encoded AuthenticatedContent, or undefined for an unknown suite. */
export function proposalRef(suite: number, authenticatedContent: Uint8Array): Uint8Array | undefined {
  return refHash(suite, 'MLS 1.0 Proposal Reference', authenticatedContent)
}

/** RefHash of RFC 9420 §5.2, as long as the suite's hash; undefined for an unknown suite. `label` is given whole, with "MLS 1.0 ". */
export function refHash(suite: number, label: string, value: Uint8Array): Uint8Array | undefined {
  const algorithm = HASH_OF_SUITE.get(suite)
  return algorithm && refHashBy(algorithm, label, value)
}

function refHashBy(algorithm: HashAlgorithm, label: string, value: Uint8Array): Uint8Array {
  return digest(algorithm, new TlsWriter().opaque(Buffer.from(label)).opaque(value).written())
}
