import { hex } from '../bytes.js'
import { Malformed, type Decoded } from '../tls/reader.js'
import { DerReader, readTime, TAGS } from './der.js'
import { hostOf, readNameConstraints, type NameConstraints } from './name-constraints.js'

/** A longer one is not read. */
export const MAX_CERTIFICATE_BYTES = 4_096

const MAX_EXTENSIONS = 32
const MAX_NAMES = 16

/** `GeneralName` (RFC 5280 §4.2.1.6): [6] uniformResourceIdentifier. */
const URI_NAME = 0x86

const OIDS = { subjectAltName: '551d11', basicConstraints: '551d13', keyUsage: '551d0f', nameConstraints: '551d1e' } as const

/** Bits of `KeyUsage` (RFC 5280 §4.2.1.3), the first one highest. */
export const KEY_USAGE = { digitalSignature: 0x8000, keyCertSign: 0x0400 } as const

/** A certificate (RFC 5280 §4.1) as far as a chain to a client URI needs it. Byte fields are views of the input. */
export interface Certificate {
  readonly bytes: Uint8Array
  readonly tbs: Uint8Array
  /** AlgorithmIdentifier, DER in hex. */
  readonly signatureAlgorithm: string
  readonly signature: Uint8Array
  /** Names, in DER. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  /** Seconds since 1970; both belong to it. */
  readonly notBefore: bigint
  readonly notAfter: bigint
  /** SubjectPublicKeyInfo, in DER. */
  readonly publicKey: Uint8Array
  /** All names of subjectAltName; other kinds than URIs are undefined. Empty without that extension. */
  readonly names: readonly (string | undefined)[]
  readonly isNamedCritically: boolean
  readonly isAuthority: boolean
  /** How many authorities may follow below this one. */
  readonly pathLength: number | undefined
  /** Of `KEY_USAGE`; undefined without the extension. */
  readonly keyUsage: number | undefined
  readonly constraints: NameConstraints | undefined
  /** It has a critical extension that this reader does not know, and so must be refused (RFC 5280 §4.2). */
  readonly hasUnknownCritical: boolean
}

/** Reads one certificate of version 3, in DER. Never throws. */
export function decodeCertificate(bytes: Uint8Array): Decoded<Certificate> {
  try {
    if (bytes.length > MAX_CERTIFICATE_BYTES) throw new Malformed('the certificate is too long')
    return { kind: 'decoded', value: readCertificate(bytes) }
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message }
    throw error
  }
}

function readCertificate(bytes: Uint8Array): Certificate {
  const outer = new DerReader(bytes)
  const reader = outer.sequence()
  outer.expectEnd()
  const tbs = reader.next(TAGS.sequence)
  const signatureAlgorithm = hex(reader.next(TAGS.sequence).bytes)
  const signature = reader.bitString()
  reader.expectEnd()
  return { bytes, tbs: tbs.bytes, signatureAlgorithm, signature, ...readTbs(new DerReader(tbs.content), signatureAlgorithm) }
}

function readTbs(reader: DerReader, outerAlgorithm: string): Omit<Certificate, 'bytes' | 'tbs' | 'signatureAlgorithm' | 'signature'> {
  const version = new DerReader(reader.next(0xa0).content)
  if (version.small() !== 2) throw new Malformed('the certificate is not of version 3')
  version.expectEnd()
  const serial = reader.unsigned()
  if (serial.length > 20) throw new Malformed('the serial number is too long')
  if (hex(reader.next(TAGS.sequence).bytes) !== outerAlgorithm) throw new Malformed('two signature algorithms are named')
  const issuer = reader.next(TAGS.sequence).bytes
  const validity = reader.sequence()
  const [notBefore, notAfter] = [readTime(validity), readTime(validity)]
  validity.expectEnd()
  const subject = reader.next(TAGS.sequence).bytes
  const publicKey = reader.next(TAGS.sequence).bytes
  const extensions = new DerReader(reader.next(0xa3).content)
  reader.expectEnd()
  const list = extensions.sequence()
  extensions.expectEnd()
  return { issuer, subject, notBefore, notAfter, publicKey, ...readExtensions(list) }
}

type FromExtensions = Pick<
  Certificate,
  'names' | 'isNamedCritically' | 'isAuthority' | 'pathLength' | 'keyUsage' | 'constraints' | 'hasUnknownCritical'
>

function readExtensions(list: DerReader): FromExtensions {
  const found = new Map<string, { critical: boolean; value: Uint8Array }>()
  while (!list.isAtEnd) {
    const one = list.sequence()
    const [oid, critical, value] = [one.oid(), one.isTrue(), one.next(TAGS.octetString).content]
    one.expectEnd()
    if (found.has(oid) || found.size === MAX_EXTENSIONS) throw new Malformed('an extension is repeated, or there are too many')
    found.set(oid, { critical, value })
  }
  const valueOf = (oid: string) => found.get(oid)?.value
  const constraints = valueOf(OIDS.nameConstraints)
  const known: readonly string[] = Object.values(OIDS)
  return {
    names: readNames(valueOf(OIDS.subjectAltName)),
    isNamedCritically: found.get(OIDS.subjectAltName)?.critical === true,
    ...readBasicConstraints(valueOf(OIDS.basicConstraints)),
    keyUsage: readKeyUsage(valueOf(OIDS.keyUsage)),
    constraints: constraints && readNameConstraints(constraints),
    hasUnknownCritical: [...found].some(([oid, { critical }]) => critical && !known.includes(oid)),
  }
}

function readNames(value: Uint8Array | undefined): (string | undefined)[] {
  if (value === undefined) return []
  const outer = new DerReader(value)
  const reader = outer.sequence()
  outer.expectEnd()
  const names: (string | undefined)[] = []
  while (!reader.isAtEnd) {
    const { tag, content } = reader.next()
    if (names.length === MAX_NAMES) throw new Malformed('there are too many names')
    names.push(tag === URI_NAME ? ascii(content) : undefined)
  }
  return names
}

/** IA5String. A byte beyond ASCII, or a NUL, would be another text to another reader. */
function ascii(content: Uint8Array): string {
  if (content.some((byte) => byte < 0x21 || byte > 0x7e)) throw new Malformed('a URI has other bytes than printable ASCII')
  return Buffer.from(content).toString('latin1')
}

function readBasicConstraints(value: Uint8Array | undefined): Pick<Certificate, 'isAuthority' | 'pathLength'> {
  if (value === undefined) return { isAuthority: false, pathLength: undefined }
  const outer = new DerReader(value)
  const reader = outer.sequence()
  outer.expectEnd()
  const isAuthority = reader.isTrue()
  const pathLength = reader.isAtEnd ? undefined : reader.small()
  reader.expectEnd()
  return { isAuthority, pathLength }
}

function readKeyUsage(value: Uint8Array | undefined): number | undefined {
  if (value === undefined) return undefined
  const outer = new DerReader(value)
  const [unused = 8, first = 0, second = 0, ...more] = outer.next(TAGS.bitString).content
  outer.expectEnd()
  if (unused > 7 || more.length > 0) throw new Malformed('the key usage is no bit string of nine bits')
  return (first << 8) | second
}

/** The one client URI that a certificate names, unchecked; undefined if it names none, several names, or is no certificate. */
export function clientNamedIn(certificate: Certificate): string | undefined {
  const [name, ...more] = certificate.names
  return more.length === 0 && name !== undefined && hostOf(name) !== undefined ? name : undefined
}
