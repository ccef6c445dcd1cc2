import { isIP } from 'node:net'
import proxyAddress from '@fastify/proxy-addr'

/** What `TRUST_PROXY` means: which hops of X-Forwarded-For are proxies. */
export interface Proxies {
  /** X-Forwarded-For is not looked at. */
  readonly none: boolean
  /** Fastify's `trustProxy`: whether the address at this hop is that of a proxy; hop 0 is the connection's own. */
  trusts(address: string, hop: number): boolean
  /** Whether a connection from here is a proxy's, which stands for many clients. */
  isProxy(address: string): boolean
}

/** @param setting `off`, `on` (one proxy), a number of proxies in a row, or their addresses and ranges separated by commas */
export function proxiesOf(setting: string): Proxies {
  if (setting === 'off') return { none: true, trusts: () => false, isProxy: () => false }
  // With hops, nobody but the nearest proxy can connect: that is the operator's promise.
  if (setting === 'on' || /^\d+$/.test(setting)) {
    const hops = setting === 'on' ? 1 : Number(setting)
    return { none: false, trusts: (_address, hop) => hop < hops, isProxy: () => true }
  }
  const contains = proxyAddress.compile(rangesOf(setting))
  const trusts = (address: string, hop: number) => isIP(address) !== 0 && contains(address, hop)
  return { none: false, trusts, isProxy: (address) => trusts(address, 0) }
}

/** @returns whether `TRUST_PROXY` can be understood */
export function isProxySetting(setting: string): boolean {
  if (/^(off|on|[1-9])$/.test(setting)) return true
  if (/^\d+$/.test(setting)) return false
  try {
    proxyAddress.compile(rangesOf(setting))
    return rangesOf(setting).every((range) => range !== '')
  } catch {
    return false
  }
}

function rangesOf(setting: string): string[] {
  return setting.split(',').map((range) => range.trim())
}
