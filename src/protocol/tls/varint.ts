/** The most bytes a variable-length vector can announce: 30 bits (RFC 9420 §2.1.2). */
export const MAX_VECTOR_BYTES = 2 ** 30 - 1

/** The size in bytes (1, 2 or 4) of the shortest header that can announce `length`; any longer one is malformed (RFC 9420 §2.1.2). */
export function varintSize(length: number): 1 | 2 | 4 {
  if (length < 0x40) return 1
  return length < 0x4000 ? 2 : 4
}
