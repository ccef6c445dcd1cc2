import { isIPv6 } from 'node:net'

/**
 * What counts as one address: an IPv4 address, or an IPv6 /56, which is what one household or server customer is usually given.
 * IPv4 seen through an IPv6 socket (`::ffff:192.0.2.1`) is IPv4. A port, which some proxies add, does not count.
 */
export function addressGroup(address: string): string {
  const ip = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(address)?.slice(1).find(Boolean) ?? address
  if (!isIPv6(ip)) return ip
  const parts = partsOf(ip)
  const mapped = parts.slice(0, 5).every((part) => part === 0) && parts[5] === 0xffff
  if (mapped)
    return parts
      .slice(6)
      .flatMap((part) => [part >> 8, part & 0xff])
      .join('.')
  // The last eight of the 64 bits belong to the customer.
  return `${parts
    .slice(0, 4)
    .map((part, index) => (index === 3 ? part & 0xff00 : part).toString(16))
    .join(':')}::/56`
}

/** The eight numbers of an IPv6 address, of which the last two may be written as IPv4 (RFC 4291 §2.2). */
function partsOf(ip: string): number[] {
  const hex = (ip.split('%')[0] ?? '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [left = [], right = []] = hex.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  return [...left, ...zeros, ...right].map((part) => Number.parseInt(part, 16))
}
