import 'reflect-metadata'
import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import {
  BasicConstraintsExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PublicKey,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { encodeDer, TAGS } from '../../protocol/x509/der.js'

const SUBJECT_ALT_NAME = '2.5.29.17'
const NAME_CONSTRAINTS = '2.5.29.30'
const URI_NAME = 0x86

const DAY_MS = 86_400_000
/** A certificate is good for readers whose clocks are behind, too. */
const BACKDATED_MS = 5 * 60_000
/** It is replaced long before (`ROTATE_AFTER_MS`). */
const AUTHORITY_LIFETIME_MS = 3 * 365 * DAY_MS

/** An authority's own certificate and private key. */
export interface NewAuthority {
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
}

/**
 * A self-signed authority with a fresh P-256 key that may sign certificates of devices, but none of other authorities, and is limited to URIs of
 * the domain's host (RFC 5280 §4.2.1.9, §4.2.1.10).
 */
export async function makeAuthority(domain: string, now: Date): Promise<NewAuthority> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const host = domain.replace(/:\d+$/, '')
  // The name tells authorities of one domain apart; whose they are, the constraint says.
  const name = `CN=MicroChat ${randomBytes(8).toString('hex')}`
  const made = await X509CertificateGenerator.create({
    ...times(now, AUTHORITY_LIFETIME_MS),
    serialNumber: serialNumber(),
    subject: name,
    issuer: name,
    publicKey: new PublicKey(spkiOf(publicKey)),
    ...signingWith(privateKey),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      new Extension(NAME_CONSTRAINTS, true, constrainedTo(host)),
    ],
  })
  return { certificate: new Uint8Array(made.rawData), privateKey }
}

/** Who issues, and until when it can. */
export interface Issuer {
  /** Of the authority that signs, in DER. */
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
}

/**
 * A certificate that a key is a client's (RFC 9420 §5.3.1). It has no name but its client URI.
 * @param publicKey as node:crypto has it @param notAfter whole seconds
 */
export async function issueCertificate(
  { certificate, privateKey }: Issuer,
  client: string,
  publicKey: KeyObject,
  { now, notAfter }: { now: Date; notAfter: Date },
): Promise<Uint8Array> {
  const made = await X509CertificateGenerator.create({
    ...times(now, 0),
    notAfter,
    serialNumber: serialNumber(),
    issuer: new X509Certificate(Buffer.from(certificate)).subjectName,
    publicKey: new PublicKey(spkiOf(publicKey)),
    ...signingWith(privateKey),
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      // Critical, as the subject is empty (RFC 5280 §4.2.1.6).
      new Extension(SUBJECT_ALT_NAME, true, encodeDer(TAGS.sequence, encodeDer(URI_NAME, Buffer.from(client)))),
    ],
  })
  return new Uint8Array(made.rawData)
}

/** Whether this server can sign certificates with a key: ECDSA P-256 or P-384, or RSA of 2,048 to 8,192 bits. */
export function canSign(privateKey: KeyObject): boolean {
  const { namedCurve, modulusLength = 0 } = privateKey.asymmetricKeyDetails ?? {}
  if (privateKey.asymmetricKeyType === 'ec') return namedCurve === 'prime256v1' || namedCurve === 'secp384r1'
  return privateKey.asymmetricKeyType === 'rsa' && modulusLength >= 2_048 && modulusLength <= 8_192
}

/** As WebCrypto has keys and algorithms. */
function signingWith(privateKey: KeyObject) {
  const hash = 'SHA-256'
  if (privateKey.asymmetricKeyType === 'rsa') {
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash }
    return { signingKey: privateKey.toCryptoKey(algorithm, false, ['sign']), signingAlgorithm: algorithm }
  }
  const isP384 = privateKey.asymmetricKeyDetails?.namedCurve === 'secp384r1'
  const signingKey = privateKey.toCryptoKey({ name: 'ECDSA', namedCurve: isP384 ? 'P-384' : 'P-256' }, false, ['sign'])
  return { signingKey, signingAlgorithm: { name: 'ECDSA', hash: isP384 ? 'SHA-384' : hash } }
}

/** RFC 5280 §4.1.2.2: positive, and unique by chance. */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

function times(now: Date, lifetimeMs: number): { notBefore: Date; notAfter: Date } {
  const seconds = Math.floor(now.getTime() / 1000) * 1000
  return { notBefore: new Date(seconds - BACKDATED_MS), notAfter: new Date(seconds + lifetimeMs) }
}

/** permittedSubtrees with one URI host (RFC 5280 §4.2.1.10). */
function constrainedTo(host: string): Uint8Array {
  const subtree = encodeDer(TAGS.sequence, encodeDer(URI_NAME, Buffer.from(host)))
  return encodeDer(TAGS.sequence, encodeDer(0xa0, subtree))
}

function spkiOf(key: KeyObject): Buffer {
  return (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })
}
