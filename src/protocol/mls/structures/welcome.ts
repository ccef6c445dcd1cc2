import type { TlsReader } from '../../tls/reader.js'
import { readHpkeCiphertextSize } from './commit.js'

const MAX_NEW_MEMBERS = 16_384

/** RFC 9420 §12.4.3.1: whom it is for; the rest is encrypted. */
export interface Welcome {
  readonly cipherSuite: number
  /** KeyPackageRefs of the new members. */
  readonly refs: readonly Uint8Array[]
  /** The lengths that their secrets' kem_outputs have. */
  readonly kemOutputs: readonly number[]
  /** The length of the encrypted GroupInfo. */
  readonly encryptedGroupInfo: number
}

/** Welcome of RFC 9420 §12.4.3.1, of at most 16,384 secrets, whose ciphertexts are measured and not kept. @throws Malformed */
export function readWelcome(reader: TlsReader): Welcome {
  const cipherSuite = reader.uint16()
  const kemOutputs = new Set<number>()
  const refs = reader.vector(MAX_NEW_MEMBERS, (secret) => {
    const newMember = secret.opaque()
    kemOutputs.add(readHpkeCiphertextSize(secret).kemOutput)
    return newMember
  })
  return { cipherSuite, refs, kemOutputs: [...kemOutputs], encryptedGroupInfo: reader.opaque().length }
}
