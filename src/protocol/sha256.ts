import { createHash } from 'node:crypto'

/**
 * SHA-256 (FIPS 180-4) of `parts`, one directly after the other: where two lengths vary, the caller puts something between them.
 * @param parts texts count as UTF-8
 * @returns 32 bytes
 */
export function sha256(...parts: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
