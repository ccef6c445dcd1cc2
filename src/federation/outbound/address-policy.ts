import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { RequestRefused } from './outcome.js'

export type AddressRange = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** @throws if a text is no range such as 10.0.0.0/8 */
export function parseRanges(texts: readonly string[]): AddressRange[] {
  return texts.map((text) => ipaddr.parseCIDR(text))
}

/**
 * Whether a request may go to an address: a global unicast one, or one that the operator allows. Addresses that carry an IPv4
 * address inside (mapped, compatible, 6to4, Teredo, NAT64) are judged by it or, where it may be anyone's, refused.
 */
export function isAllowedAddress(text: string, allowed: readonly AddressRange[]): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.process(text)
  if (allowed.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits))) return true
  return address.range() === 'unicast' && (address instanceof ipaddr.IPv4 || isGlobal(address))
}

/** What is assigned as global unicast (RFC 4291 §2.4), and of that what is not for hosts of anybody's (IANA's special-purpose registry). */
const GLOBAL = ipaddr.IPv6.parseCIDR('2000::/3')
const SPECIAL = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'].map((range) => ipaddr.IPv6.parseCIDR(range))

function isGlobal(address: ipaddr.IPv6): boolean {
  return address.match(GLOBAL) && !SPECIAL.some((range) => address.match(range))
}

/** The address of a URL's host if that is a literal, as WHATWG has normalized it (0x7f.1 and 2130706433 are 127.0.0.1 by then). */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return ipaddr.isValid(bare) ? bare : undefined
}

export type Resolver = (hostname: string, done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void

export const systemResolver: Resolver = (hostname, done) => dnsLookup(hostname, { all: true, verbatim: true }, done)

/**
 * The lookup of a connection. It is the only one: what is checked is what is connected to, so a name that resolves otherwise a
 * moment later gains nothing. One address that may not be asked refuses the name altogether.
 */
export function checkedLookup(resolve: Resolver, allowed: readonly AddressRange[]): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, (error, addresses) => {
      const [first] = addresses ?? []
      if (error || !first) return callback(error ?? new Error('no address'), '')
      if (!addresses.every(({ address }) => isAllowedAddress(address, allowed)))
        return callback(new RequestRefused('refused-address', 'The name resolves to an address that may not be asked.'), '')
      if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}
