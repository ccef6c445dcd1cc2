import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from '@peculiar/x509'
import type { Credential } from 'ts-mls'
import { userOfClient } from '../identity/structures.js'
import { fromUtf8, toHex } from '../wire.js'

const MAX_CHAIN = 3
const MAX_BYTES = 4_096
const LONGEST_MS = 31 * 86_400_000

/** What stands before the key in its SubjectPublicKeyInfo, by the length of the key as MLS writes it. */
const SPKI: Readonly<Record<number, string>> = {
  32: '302a300506032b6570032100',
  57: '3043300506032b6571033a00',
  65: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
  97: '3076301006072a8648ce3d020106052b81040022036200',
  133: '30819b301006072a8648ce3d020106052b8104002303818600',
}

/** A leaf with an X.509 credential (docs/x509.md). */
export interface CertifiedLeaf {
  certificates: readonly Uint8Array[]
  signatureKey: Uint8Array
}

/** Whom a credential names: the client URI of a basic one, or of an X.509 certificate, which has to be checked besides; '' if it names nobody. */
export function clientOfCredential(credential: Credential): string {
  if (credential.credentialType === 'basic') return fromUtf8(credential.identity)
  const [first] = credential.credentialType === 'x509' ? read(credential.certificates) : []
  return (first && clientOf(first)) ?? ''
}

/** Of the first certificate. */
export function endOf({ certificates }: Pick<CertifiedLeaf, 'certificates'>): Date {
  return read(certificates)[0]?.notAfter ?? new Date(0)
}

/**
 * The rule of docs/x509.md §2 that a chain breaks, if it does.
 * @param authorities of the domain in the client URI, DER @param now milliseconds since 1970
 */
export async function ruleBroken(
  { certificates, signatureKey }: CertifiedLeaf,
  authorities: readonly Uint8Array[],
  now: number,
): Promise<string | undefined> {
  const chain = read(certificates)
  const [first] = chain
  if (!first || chain.length > MAX_CHAIN) return 'x509-encoding'
  if (clientOf(first) === undefined) return 'x509-client'
  if (toHex(new Uint8Array(first.publicKey.rawData)) !== `${SPKI[signatureKey.length]}${toHex(signatureKey)}`) return 'x509-key'
  const signsOthers = isAuthority(first) || has(first, KeyUsageFlags.keyCertSign)
  if (signsOthers || !has(first, KeyUsageFlags.digitalSignature)) return 'x509-usage'
  const path = await pathTo(read(authorities), chain)
  if (!path?.every(mayIssue)) return 'x509-issuer'
  if ([first, ...path].some(isUnknown)) return 'x509-critical'
  const isCurrent = [first, ...path].every(({ notBefore, notAfter }) => notBefore.getTime() <= now && now <= notAfter.getTime())
  return isCurrent && first.notAfter.getTime() - first.notBefore.getTime() <= LONGEST_MS ? undefined : 'x509-validity'
}

/** The issuers, an authority last; from it downwards each has signed the one below. */
async function pathTo(
  authorities: readonly X509Certificate[],
  [first, ...above]: X509Certificate[],
): Promise<X509Certificate[] | undefined> {
  if (!first) return undefined
  for (const authority of authorities) {
    const upTo = above.findIndex((one) => one.equal(authority))
    const path = upTo < 0 ? [...above, authority] : above.slice(0, upTo + 1)
    const steps = path.map((issuer, index) => ({ issuer, below: index === 0 ? first : path[index - 1] }))
    const signed = await Promise.all(steps.map(({ issuer, below }) => isIssuedBy(below, issuer)))
    if (signed.every(Boolean)) return path
  }
  return undefined
}

async function isIssuedBy(certificate: X509Certificate | undefined, issuer: X509Certificate): Promise<boolean> {
  if (certificate?.issuer !== issuer.subject) return false
  return certificate.verify({ publicKey: issuer, signatureOnly: true })
}

function clientOf(certificate: X509Certificate): string | undefined {
  const [name, ...others] = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  if (name?.type !== 'url' || others.length > 0 || userOfClient(name.value) === undefined) return undefined
  const isNamedCritically = certificate.getExtension(SubjectAlternativeNameExtension)?.critical
  return certificate.subject === '' && !isNamedCritically ? undefined : name.value
}

/** @param depth authorities between it and the device's certificate */
function mayIssue(certificate: X509Certificate, depth: number): boolean {
  const longest = certificate.getExtension(BasicConstraintsExtension)?.pathLength ?? Infinity
  return isAuthority(certificate) && has(certificate, KeyUsageFlags.keyCertSign) && depth <= longest
}

/** subjectAltName, basicConstraints, keyUsage and nameConstraints (RFC 5280 §4.2.1). */
const KNOWN: ReadonlySet<string> = new Set(['2.5.29.17', '2.5.29.19', '2.5.29.15', '2.5.29.30'])

/** RFC 5280 §4.2: a critical extension that the reader does not know. */
const isUnknown = ({ extensions }: X509Certificate): boolean => extensions.some(({ critical, type }) => critical && !KNOWN.has(type))

const isAuthority = (certificate: X509Certificate): boolean => certificate.getExtension(BasicConstraintsExtension)?.ca === true

function has(certificate: X509Certificate, usage: KeyUsageFlags): boolean {
  return ((certificate.getExtension(KeyUsagesExtension)?.usages ?? 0) & usage) !== 0
}

/** None if one of them is no certificate. */
function read(certificates: readonly Uint8Array[]): X509Certificate[] {
  try {
    return certificates.every(isWhole) ? certificates.map((one) => new X509Certificate(one.slice())) : []
  } catch {
    return []
  }
}

/** One sequence in DER of 128 bytes or more, with nothing behind it. */
function isWhole(der: Uint8Array): boolean {
  const [tag, form, high = 0, low = 0] = der
  if (tag !== 0x30 || der.length > MAX_BYTES) return false
  return form === 0x81 ? der.length === 3 + high : form === 0x82 && der.length === 4 + high * 256 + low
}
