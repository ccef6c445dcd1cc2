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
