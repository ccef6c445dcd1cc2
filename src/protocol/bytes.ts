/** Whether two public values are equal; not in constant time. Most that differ do so in the last byte, which is cheaper to look at. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const last = a.length - 1
  return a.length === b.length && a[last] === b[last] && Buffer.compare(a, b) === 0
}

/** Lower-case hex without a prefix: bytes as the key of a Map or an item of a Set, which compare arrays by identity. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
