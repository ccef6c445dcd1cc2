import { digest, type HashAlgorithm } from '../mls/hashes.js'
import type { PublicMessage } from '../mls/structures/public-message.js'
import { TlsWriter } from '../tls/writer.js'

/** RFC 9420 §8.2: the transcript up to and including a Commit's signature. */
export function confirmedTranscriptHash(algorithm: HashAlgorithm, interimBefore: Uint8Array, commit: PublicMessage): Uint8Array {
  return digest(algorithm, new TlsWriter().raw(interimBefore).raw(commit.transcriptInput).written())
}

/** RFC 9420 §8.2: that transcript and the confirmation tag; at epoch 0 the tag of the group's creation (§11). */
export function interimTranscriptHash(algorithm: HashAlgorithm, confirmed: Uint8Array, confirmationTag: Uint8Array): Uint8Array {
  return digest(algorithm, new TlsWriter().raw(confirmed).opaque(confirmationTag).written())
}
