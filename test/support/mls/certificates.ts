import { createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { encodeDer, TAGS } from '../../../src/protocol/x509/der.js'

const { sequence, oid, integer, bitString, octetString, boolean } = TAGS
const OIDS = { subjectAltName: '551d11', basicConstraints: '551d13', keyUsage: '551d0f', nameConstraints: '551d1e', commonName: '550403' }
const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex')
const ED25519 = Buffer.from('300506032b6570', 'hex')

/** Bytes of a certificate's parts that a hostile maker chooses. Times are in seconds. */
export interface CertificateWish {
  subject?: string
  /** Random unless given. */
  serial?: Uint8Array
  uris?: readonly string[]
  /** GeneralNames besides the URIs, DER. */
  otherNames?: readonly Uint8Array[]
  sanCritical?: boolean
  authority?: boolean
  pathLength?: number
  /** The first byte of KeyUsage; undefined: no such extension. */
  usage?: number | undefined
  /** GeneralNames in permittedSubtrees and excludedSubtrees, DER. */
  permitted?: readonly Uint8Array[]
  excluded?: readonly Uint8Array[]
  notBefore?: number
  notAfter?: number
  /** Whole extensions. */
  extensions?: readonly Uint8Array[]
}

/** An authority: its certificate and what it signs with. */
export interface TestAuthority {
  readonly name: string
  readonly key: KeyObject
  readonly certificate: Uint8Array
}

export const now = (): number => Math.floor(Date.now() / 1000)
export const uriName = (uri: string): Uint8Array => encodeDer(0x86, Buffer.from(uri))
export const p256 = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

/** An authority of the domain, self-signed or by another one. */
export function testAuthority(wish: CertificateWish = {}, above?: TestAuthority, key: KeyObject = p256()): TestAuthority {
  const name = wish.subject ?? randomBytes(6).toString('hex')
  const own = { subject: name, authority: true, usage: 0x04, notAfter: now() + 400 * 86_400, ...wish }
  const self: TestAuthority = { name, key, certificate: new Uint8Array() }
  return { ...self, certificate: certificate(above ?? self, key, own) }
}

/** A device's certificate, as a well-behaved authority would make it unless wished otherwise. */
export function deviceCertificate(issuer: TestAuthority, key: KeyObject, uri: string, wish: CertificateWish = {}): Uint8Array {
  return certificate(issuer, key, { uris: [uri], usage: 0x80, sanCritical: true, ...wish })
}

/** Any certificate at all. */
export function certificate(issuer: Pick<TestAuthority, 'name' | 'key'>, subjectKey: KeyObject, wish: CertificateWish): Uint8Array {
  const algorithm = issuer.key.asymmetricKeyType === 'ed25519' ? ED25519 : ECDSA_SHA256
  const tbs = encodeDer(
    sequence,
    encodeDer(0xa0, encodeDer(integer, Buffer.of(2))),
    encodeDer(integer, wish.serial ?? Buffer.concat([Buffer.of(0x41), randomBytes(8)])),
    algorithm,
    nameOf(issuer.name),
    encodeDer(sequence, time(wish.notBefore ?? now() - 60), time(wish.notAfter ?? now() + 86_400)),
    nameOf(wish.subject),
    (subjectKey.type === 'private' ? createPublicKey(subjectKey) : subjectKey).export({ type: 'spki', format: 'der' }),
    encodeDer(0xa3, encodeDer(sequence, ...extensionsOf(wish))),
  )
  return signed(tbs, algorithm, issuer.key)
}

/** The outer structure around a TBSCertificate. */
export function signed(tbs: Uint8Array, algorithm: Uint8Array, key: KeyObject): Uint8Array {
  const signature = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', tbs, key)
  return new Uint8Array(encodeDer(sequence, tbs, algorithm, encodeDer(bitString, Buffer.of(0), signature)))
}

export function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [encodeDer(boolean, Buffer.of(0xff))] : []
  return encodeDer(sequence, encodeDer(oid, Buffer.from(id, 'hex')), ...flag, encodeDer(octetString, value))
}

function extensionsOf({
  uris = [],
  otherNames = [],
  sanCritical = false,
  authority,
  pathLength,
  usage,
  ...wish
}: CertificateWish): Uint8Array[] {
  const names = [...uris.map(uriName), ...otherNames]
  const subtrees = (tag: number, of: readonly Uint8Array[] | undefined) =>
    of ? [encodeDer(tag, ...of.map((one) => encodeDer(sequence, one)))] : []
  const constraints = [...subtrees(0xa0, wish.permitted), ...subtrees(0xa1, wish.excluded)]
  const length = pathLength === undefined ? [] : [encodeDer(integer, Buffer.of(pathLength))]
  return [
    ...(names.length > 0 ? [extension(OIDS.subjectAltName, sanCritical, encodeDer(sequence, ...names))] : []),
    ...(authority ? [extension(OIDS.basicConstraints, true, encodeDer(sequence, encodeDer(boolean, Buffer.of(0xff)), ...length))] : []),
    ...(usage === undefined ? [] : [extension(OIDS.keyUsage, true, encodeDer(bitString, Buffer.of(trailingZeros(usage), usage)))]),
    ...(constraints.length > 0 ? [extension(OIDS.nameConstraints, true, encodeDer(sequence, ...constraints))] : []),
    ...(wish.extensions ?? []),
  ]
}

const trailingZeros = (byte: number): number => Math.log2(byte & -byte)

function nameOf(commonName: string | undefined): Uint8Array {
  if (commonName === undefined) return encodeDer(sequence)
  const attribute = encodeDer(sequence, encodeDer(oid, Buffer.from(OIDS.commonName, 'hex')), encodeDer(0x0c, Buffer.from(commonName)))
  return encodeDer(sequence, encodeDer(0x31, attribute))
}

function time(seconds: number): Uint8Array {
  const text = new Date(seconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, '')
  return text < '2050' ? encodeDer(TAGS.utcTime, Buffer.from(text.slice(2))) : encodeDer(TAGS.generalizedTime, Buffer.from(text))
}
