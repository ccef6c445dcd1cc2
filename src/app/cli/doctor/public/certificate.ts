import { once } from 'node:events'
import { connect } from 'node:tls'
import { ok, problem, reasonOf, warning, type Finding } from '../finding.js'

const TIMEOUT_MS = 5_000
const DAY_MS = 86_400_000
/** Automatic renewal happens weeks before. */
const SOON_DAYS = 14

/** As a client sees it: by name, and by the authorities that this machine trusts. */
export async function examineCertificate(url: string): Promise<Finding[]> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect({ host, port: Number(port || 443), servername: isAddress(host) ? '' : host, timeout: TIMEOUT_MS })
  socket.once('timeout', () => socket.destroy(Object.assign(new Error('No answer'), { code: 'ETIMEDOUT' })))
  try {
    await once(socket, 'secureConnect')
    const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / DAY_MS)
    if (days >= SOON_DAYS) return [ok(`The certificate of PUBLIC_URL is valid for ${days} days.`)]
    return [warning(`The certificate of PUBLIC_URL ends in ${days} days. See why it was not renewed.`)]
  } catch (error) {
    return [refusal(reasonOf(error))]
  } finally {
    socket.destroy()
  }
}

/** A name that does not resolve or a port nobody listens on says nothing of the certificate; it may be so from here only. */
function refusal(reason: string): Finding {
  if (/^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET)/.test(reason))
    return warning(`PUBLIC_URL cannot be reached from here for TLS (${reason}).`)
  return problem(`Clients refuse the certificate of PUBLIC_URL (${reason}).`)
}

function isAddress(host: string): boolean {
  return /^[\d.]+$|:/.test(host)
}
