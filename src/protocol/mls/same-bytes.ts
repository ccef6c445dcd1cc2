/** Whether two public values are equal; not in constant time. Most that differ do so in the last byte, which is cheaper to look at. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const last = a.length - 1
  return a.length === b.length && a[last] === b[last] && Buffer.compare(a, b) === 0
}
