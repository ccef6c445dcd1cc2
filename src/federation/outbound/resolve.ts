import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { isAllowedAddress, type AddressRange } from './address-policy.js'
import { Refusal } from './outcome.js'

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
        return callback(new Refusal('refused-address', 'The name resolves to an address that may not be asked.'), '')
      if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}
