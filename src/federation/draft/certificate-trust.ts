import { X509Certificate } from 'node:crypto'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { hex } from '../../protocol/bytes.js'
import { sha256 } from '../../protocol/sha256.js'

/** By what the certificate of one provider is recognized. One of either kind is enough. */
export interface CertificateTrust {
  /** SHA-256 of SubjectPublicKeyInfo (DER), lower-case hexadecimal. */
  readonly pins: readonly string[]
  /** Certificates of authorities for this provider. */
  readonly authorities: readonly X509Certificate[]
}

/** What a connection shows. */
export interface ShownCertificate {
  readonly leaf: X509Certificate
  /** The issuers that came along or that are configured, the nearest first. */
  readonly issuers: readonly X509Certificate[]
  /** Whether the TLS library has found a path from the leaf to one of the authorities that this connection was set up with. */
  readonly verified: boolean
}

const MAX_ISSUERS = 8

/** The certificates of the other side; undefined if it has shown none. */
export function shownOn(socket: TLSSocket): ShownCertificate | undefined {
  const leaf = socket.getPeerX509Certificate()
  if (!leaf) return undefined
  return { leaf, issuers: issuersOf(socket.getPeerCertificate(true)), verified: socket.authorized }
}

function issuersOf(shown: PeerCertificate | undefined): X509Certificate[] {
  const issuers: X509Certificate[] = []
  const seen = new Set<string>()
  // The last one, if it has signed itself, is its own issuer.
  for (let at = shown; at && 'raw' in at && issuers.length < MAX_ISSUERS && !seen.has(at.fingerprint256);) {
    seen.add(at.fingerprint256)
    const issuer: unknown = 'issuerCertificate' in at ? at.issuerCertificate : undefined
    at = isCertificate(issuer) ? issuer : undefined
    if (at) issuers.push(new X509Certificate(at.raw))
  }
  return issuers
}

function isCertificate(value: unknown): value is PeerCertificate {
  return typeof value === 'object' && value !== null && 'raw' in value
}

/**
 * Whether a certificate authenticates a provider: it names the domain as a SAN (RFC 6125: a common name does not count, nor does a wildcard
 * above it), is valid now, and has the pinned key or hangs from an authority that the operator has named for this provider.
 * @param domain of the provider; a port that is part of its name is not part of the certificate
 * @returns what is wrong with it; undefined: nothing
 */
export function certificateFault(shown: ShownCertificate, domain: string, trust: CertificateTrust, now: Date): string | undefined {
  const { leaf } = shown
  if (!isNamed(leaf, domain)) return 'The certificate is of another domain.'
  if (now < new Date(leaf.validFrom) || now > new Date(leaf.validTo)) return 'The certificate is not valid now.'
  if (trust.pins.includes(spkiHash(leaf))) return undefined
  // Its path was verified, to whichever authority; and one from it leads to an authority of this provider.
  if (shown.verified && hangsFrom(shown, trust.authorities)) return undefined
  return 'The certificate is not one that is known for the provider.'
}

function isNamed(leaf: X509Certificate, domain: string): boolean {
  const name = hostOf(domain)
  return leaf.checkHost(name, { subject: 'never', wildcards: false }) !== undefined
}

/** The host in the name of a provider, which may have a port. */
export function hostOf(domain: string): string {
  return domain.replace(/:\d+$/, '')
}

/** SHA-256 of SubjectPublicKeyInfo, lower-case hexadecimal. */
export function spkiHash(certificate: X509Certificate): string {
  return hex(sha256(certificate.publicKey.export({ type: 'spki', format: 'der' })))
}

function hangsFrom({ leaf, issuers }: ShownCertificate, authorities: readonly X509Certificate[]): boolean {
  let at = leaf
  for (const issuer of [...issuers, undefined]) {
    if (authorities.some((authority) => isIssuedBy(at, authority))) return true
    if (!issuer || !isIssuedBy(at, issuer)) return false
    at = issuer
  }
  return false
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}
