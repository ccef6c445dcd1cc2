import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from '@peculiar/x509'
import type { Credential } from 'ts-mls'
import { fromUtf8, toHex } from '../wire.js'

const MAX_CHAIN = 3
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
  if (isAuthority(first) || !has(first, KeyUsageFlags.digitalSignature)) return 'x509-usage'
  const path = await pathTo(read(authorities), chain)
  if (!path?.every(isAuthority) || !path.every((one) => has(one, KeyUsageFlags.keyCertSign))) return 'x509-issuer'
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
  return name?.type === 'url' && others.length === 0 ? name.value : undefined
}

const isAuthority = (certificate: X509Certificate): boolean => certificate.getExtension(BasicConstraintsExtension)?.ca === true

function has(certificate: X509Certificate, usage: KeyUsageFlags): boolean {
  return ((certificate.getExtension(KeyUsagesExtension)?.usages ?? 0) & usage) !== 0
}

/** None if one of them is no certificate. */
function read(certificates: readonly Uint8Array[]): X509Certificate[] {
  try {
    return certificates.map((one) => new X509Certificate(one.slice()))
  } catch {
    return []
  }
}
