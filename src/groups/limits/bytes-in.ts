/** Bytes of all byte strings in the arguments of a call; decoded values are nested a few levels deep. */
export function bytesIn(value: unknown): number {
  if (value instanceof Uint8Array) return value.length
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce((sum: number, part: unknown) => sum + bytesIn(part), 0)
}
