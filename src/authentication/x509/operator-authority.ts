import { createPrivateKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfigError, type Config } from '../../platform/config/config.js'
import { checkChain, MAX_CHAIN } from '../../protocol/x509/chain.js'
import { signaturePublicKey } from '../../protocol/mls/signature.js'
import { canSign, issueCertificate } from './issuing.js'

/** Peers get all published ones in their copy of the directory, which is of 16 KiB. */
export const MAX_AUTHORITY_BYTES = 1_536

/** A certificate authority that the operator has brought. */
export interface OperatorAuthority {
  /** From the one that issues to the one that is published; DER. */
  readonly chain: readonly Uint8Array[]
  readonly privateKey: KeyObject
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The authority of X509_CA_CERTIFICATE and X509_CA_KEY. @throws ConfigError if a file cannot be read as such */
export function readOperatorAuthority(config: Pick<Config, 'X509_CA_CERTIFICATE' | 'X509_CA_KEY'>): OperatorAuthority | undefined {
  if (config.X509_CA_CERTIFICATE === undefined || config.X509_CA_KEY === undefined) return undefined
  const pem = readPem('X509_CA_CERTIFICATE', config.X509_CA_CERTIFICATE)
  const chain = (pem.match(CERTIFICATE) ?? []).map((one) =>
    parsed('X509_CA_CERTIFICATE', () => new Uint8Array(new X509Certificate(one).raw)),
  )
  const key = readPem('X509_CA_KEY', config.X509_CA_KEY)
  const privateKey = parsed('X509_CA_KEY', () => createPrivateKey(key))
  if (chain.length === 0 || chain.length > MAX_CHAIN)
    throw new ConfigError([`X509_CA_CERTIFICATE must have one to ${MAX_CHAIN} certificates.`])
  if (!canSign(privateKey)) throw new ConfigError(['X509_CA_KEY must be a key of ECDSA P-256 or P-384, or of RSA.'])
  return { chain, privateKey }
}

/**
 * Whether clients and peers would accept what the authority issues, by a certificate that nobody gets.
 * @throws ConfigError that names the rule (docs/x509.md §2)
 */
export async function requireUsable({ chain, privateKey }: OperatorAuthority, domain: string): Promise<void> {
  const [issuer, published] = [chain[0], chain.at(-1)]
  if (issuer === undefined || published === undefined) return
  if (published.length > MAX_AUTHORITY_BYTES)
    throw new ConfigError([`The last certificate of X509_CA_CERTIFICATE has more than ${MAX_AUTHORITY_BYTES} bytes.`])
  const sample = generateKeyPairSync('ed25519')
  const times = { now: new Date(), notAfter: new Date(Date.now() + 3_600_000) }
  const issued = await issueCertificate({ certificate: issuer, privateKey }, `mimi://${domain}/d/sample/sample`, sample.publicKey, times)
  const leaf = { certificates: [issued, ...chain.slice(0, -1)], signatureKey: signaturePublicKey(sample.publicKey) }
  const verdict = await checkChain(leaf, [published], BigInt(Math.floor(Date.now() / 1000)))
  if (verdict.kind === 'broken')
    throw new ConfigError([`Nobody would accept what X509_CA_CERTIFICATE issues with X509_CA_KEY (${verdict.rule}, docs/x509.md).`])
}

function readPem(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new ConfigError([`${setting} names a file that cannot be read.`])
  }
}

function parsed<T>(setting: string, parse: () => T): T {
  try {
    return parse()
  } catch {
    throw new ConfigError([`${setting} is not in PEM, or of no known kind.`])
  }
}
