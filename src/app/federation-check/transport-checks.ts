import { once } from 'node:events'
import { promises as dns } from 'node:dns'
import { connect } from 'node:tls'
import { isAllowedAddress, literalAddress, type AddressRange } from '../../federation/outbound/address-policy.js'
import { fail, pass, skip, warn, type Check } from './check.js'

const TIMEOUT_MS = 5_000
const DAY_MS = 86_400_000
const SOON_DAYS = 14

/** The name of a URL's host, and the certificate that is shown for it. @param allowed addresses beside global ones */
export async function examineTransport(base: string, allowed: readonly AddressRange[]): Promise<Check[]> {
  const url = new URL(base)
  const name = await examineName(url, allowed)
  if (name.verdict === 'fail') return [name, skip('tls', 'There is nothing to connect to.')]
  return [name, url.protocol === 'https:' ? await examineTls(url) : skip('tls', 'The settings lead to it without TLS.')]
}

async function examineName({ hostname }: URL, allowed: readonly AddressRange[]): Promise<Check> {
  try {
    const literal = literalAddress(hostname)
    const addresses = literal === undefined ? (await dns.lookup(hostname, { all: true })).map(({ address }) => address) : [literal]
    if (addresses.every((address) => isAllowedAddress(address, allowed)))
      return pass('dns', `The name leads to ${addresses.length} address(es) that may be asked.`)
    return fail(
      'dns',
      'The name leads to an address that is not public. Servers refuse to ask there; see FEDERATION_ALLOWED_RANGES for your own.',
    )
  } catch (error) {
    return fail('dns', `The name does not resolve (${codeOf(error)}). Look at the DNS of the domain.`)
  }
}

async function examineTls({ hostname, port }: URL): Promise<Check> {
  const host = hostname.replaceAll(/^\[|\]$/g, '')
  const socket = connect({
    host,
    port: Number(port || 443),
    servername: literalAddress(hostname) === undefined ? host : '',
    timeout: TIMEOUT_MS,
  })
  socket.once('timeout', () => socket.destroy(Object.assign(new Error('No answer'), { code: 'ETIMEDOUT' })))
  try {
    await once(socket, 'secureConnect')
    const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / DAY_MS)
    const text = `The certificate is for this name, and valid for ${days} days.`
    return days < SOON_DAYS ? warn('tls', `${text} It should have been renewed by now.`) : pass('tls', text)
  } catch (error) {
    return fail(
      'tls',
      `There is no TLS connection (${codeOf(error)}). The certificate has to be of this name and of a public authority, with its chain.`,
    )
  } finally {
    socket.destroy()
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
}
