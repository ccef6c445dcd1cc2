import type { Client } from 'pg'
import { readAuthorities } from '../../../authentication/x509/authorities.repository.js'
import { endOf } from '../../../authentication/x509/authorities.js'
import { readOperatorAuthority, requireUsable } from '../../../authentication/x509/operator-authority.js'
import { ConfigError, type Config } from '../../../platform/config/config.js'
import { ok, problem, warning, type Finding } from './finding.js'

const DAY_MS = 86_400_000
/** A job replaces the server's own two years before its end; of an operator's, peers hear within the hour. */
const SOON_MS = 30 * DAY_MS

/** The authority that the settings name: whether the server would start with it, and for how long it lasts. */
export async function examineOperatorAuthority(config: Config): Promise<Finding[]> {
  if (config.X509_CREDENTIALS === 'off') return [ok('Devices get no X.509 certificates (X509_CREDENTIALS is off).')]
  try {
    const authority = readOperatorAuthority(config)
    if (!authority) return []
    const finding = examineEnd(endOf(authority.chain), config, 'Put another one there, and restart.')
    if (finding.grade !== 'problem') await requireUsable(authority, config.DOMAIN)
    return [finding]
  } catch (error) {
    if (error instanceof ConfigError) return error.sentences.map((sentence) => problem(sentence))
    throw error
  }
}

/** The server's own authority that issues now. */
export async function examineOwnAuthority(client: Client, config: Config): Promise<Finding[]> {
  if (config.X509_CREDENTIALS === 'off' || config.X509_CA_CERTIFICATE !== undefined) return []
  const issuing = (await readAuthorities(client)).find(({ signs, sealedPrivate }) => signs && sealedPrivate !== null)
  if (!issuing) return [ok('No X.509 authority issues yet: the first certificate that is asked for makes one.')]
  return [examineEnd(endOf([issuing.certificate]), config, 'The job that replaces it does not run: keys rotate-x509 does the same.')]
}

function examineEnd(end: Date, { X509_LIFETIME, X509_CA_CERTIFICATE }: Config, remedy: string): Finding {
  const name = X509_CA_CERTIFICATE === undefined ? 'The X.509 authority' : 'The X.509 authority of X509_CA_CERTIFICATE'
  const leftMs = end.getTime() - Date.now()
  if (leftMs <= 0) return problem(`${name} has ended: no device gets a certificate, and nobody accepts those that it has issued. ${remedy}`)
  const days = Math.floor(leftMs / DAY_MS)
  if (leftMs < X509_LIFETIME)
    return warning(`${name} ends in ${days} days, before the X509_LIFETIME of a certificate that it issues now: all end with it. ${remedy}`)
  return leftMs < SOON_MS ? warning(`${name} ends in ${days} days. ${remedy}`) : ok(`${name} lasts for ${days} days.`)
}
