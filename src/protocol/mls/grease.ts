/** Whether a value is one of those that clients list to see whether others ignore them (RFC 9420 §13.5): 0x0A0A, 0x1A1A, … 0xEAEA. */
export function isGrease(value: number): boolean {
  return (value & 0x0f) === 0x0a && value >> 8 === (value & 0xff) && value !== 0xfafa
}

/**
 * Whether a list of capabilities says that its client supports a value. GREASE in it says nothing, as the client does not
 * count it among its own (RFC 9420 §13.5) and would refuse a group that uses it.
 */
export function lists(capabilities: readonly number[], value: number): boolean {
  return capabilities.includes(value) && !isGrease(value)
}

/**
 * `lists` for all of `values`, in time linear in both: either list is a member's to choose and may have a thousand items, and
 * this is asked of every leaf of a Commit.
 */
export function listsAll(capabilities: readonly number[], values: readonly number[]): boolean {
  if (values.length <= FEW) return values.every((value) => lists(capabilities, value))
  const listed = new Set(capabilities)
  return values.every((value) => listed.has(value) && !isGrease(value))
}

/** Up to this many values it is cheaper to search the list than to make a set of it. */
const FEW = 4
