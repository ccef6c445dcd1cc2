import { isIPv6 } from 'node:net'

/**
 * What counts as one address: an IPv4 address, or an IPv6 /56, which is what one household or server customer is usually given.
 * IPv4 seen through an IPv6 socket (`::ffff:192.0.2.1`) is IPv4.
 */
export function addressGroup(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(ip)) return ip
  const [head = '', tail] = (ip.split('%')[0] ?? '').split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)).fill('0')
  const network = [...left, ...zeros, ...right].slice(0, 4).map((part) => Number.parseInt(part, 16))
  // The last eight of the 64 bits belong to the customer.
  return `${network.map((part, index) => (index === 3 ? part & 0xff00 : part).toString(16)).join(':')}::/56`
}
