import { hash } from 'node:crypto'

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
 * One-shot, which for inputs of this size takes half the time of `createHash`. By way of a string, because a hash as Buffer
 * has memory outside the JavaScript heap: the 32,768 nodes of a large tree then take ten times as long, most of it collecting.
 */
export function digest(algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array {
  const characters = hash(algorithm, bytes, 'binary')
  const output = new Uint8Array(characters.length)
  for (let at = 0; at < output.length; at++) output[at] = characters.charCodeAt(at)
  return output
}
