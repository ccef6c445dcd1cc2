import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { sameBytes } from '../bytes.js'
import { parseClientUri } from '../identifiers.js'
import { canonicalKey } from '../signature-key.js'
import { schemeOfKey, signaturePublicKey } from '../mls/signature.js'
import { clientNamedIn, decodeCertificate, KEY_USAGE, type Certificate } from './certificate.js'
import { permitsUri } from './name-constraints.js'
import type { X509Rule } from './rules.js'

/** Certificates of a credential: the leaf's, and at most two above it. */
export const MAX_CHAIN = 3
/** Revocation is by short life, so a certificate of a device must have one. */
export const MAX_LEAF_SECONDS = 31n * 86_400n

/** AlgorithmIdentifiers (DER, hex) of signatures on certificates, with the kind of key that each is by. */
const ALGORITHMS: ReadonlyMap<string, { keyType: string; digest: string | undefined }> = new Map([
  ['300a06082a8648ce3d040302', { keyType: 'ec', digest: 'sha256' }],
  ['300a06082a8648ce3d040303', { keyType: 'ec', digest: 'sha384' }],
  ['300a06082a8648ce3d040304', { keyType: 'ec', digest: 'sha512' }],
  ['300506032b6570', { keyType: 'ed25519', digest: undefined }],
  ['300506032b6571', { keyType: 'ed448', digest: undefined }],
  ['300d06092a864886f70d01010b0500', { keyType: 'rsa', digest: 'sha256' }],
  ['300d06092a864886f70d01010c0500', { keyType: 'rsa', digest: 'sha384' }],
  ['300d06092a864886f70d01010d0500', { keyType: 'rsa', digest: 'sha512' }],
])
const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])
const RSA_BITS = [2_048, 8_192] as const

/** A leaf with an X.509 credential. */
export interface CertifiedLeaf {
  readonly certificates: readonly Uint8Array[]
  /** As MLS encodes it. */
  readonly signatureKey: Uint8Array
}

export type ChainVerdict =
  /** `notAfter`: seconds since 1970, when the first of the chain ends, the authority included. */
  { readonly kind: 'valid'; readonly client: string; readonly notAfter: bigint } | { readonly kind: 'broken'; readonly rule: X509Rule }

const broken = (rule: X509Rule): ChainVerdict => ({ kind: 'broken', rule })

/**
 * Whether the chain of an X.509 credential (RFC 9420 §5.3) shows that the key is a client's: docs/x509.md §2. Never rejects.
 * @param authorities DER of those that the client URI's own domain publishes; of no other @param now seconds since 1970
 */
export async function checkChain(leaf: CertifiedLeaf, authorities: readonly Uint8Array[], now: bigint): Promise<ChainVerdict> {
  const chain = decodeChain(leaf.certificates)
  const [first, ...above] = chain ?? []
  if (first === undefined) return broken('x509-encoding')
  const client = clientNamedIn(first)
  if (client === undefined || parseClientUri(client) === undefined) return broken('x509-client')
  const rule = leafRule(first, leaf.signatureKey)
  if (rule !== undefined) return broken(rule)
  const path = await pathTo(authorities, first, above)
  if (path === undefined || !path.every((issuer, depth) => mayIssue(issuer, depth, client, [first, ...path.slice(0, depth)])))
    return broken('x509-issuer')
  const all = [first, ...path]
  if (all.some(({ hasUnknownCritical }) => hasUnknownCritical)) return broken('x509-critical')
  const isCurrent = all.every(({ notBefore, notAfter }) => notBefore <= now && now <= notAfter)
  if (!isCurrent || first.notAfter - first.notBefore > MAX_LEAF_SECONDS) return broken('x509-validity')
  return { kind: 'valid', client, notAfter: all.reduce((end, { notAfter }) => (notAfter < end ? notAfter : end), first.notAfter) }
}

/** The certificates of a credential, decoded; undefined if one is malformed, or there are none or too many. */
function decodeChain(certificates: readonly Uint8Array[]): Certificate[] | undefined {
  if (certificates.length > MAX_CHAIN) return undefined
  const decoded = certificates.map(decodeCertificate)
  const chain = decoded.flatMap((one) => (one.kind === 'decoded' ? [one.value] : []))
  return chain.length === certificates.length ? chain : undefined
}

const EMPTY_NAME = Uint8Array.of(0x30, 0)

/** What the device's own certificate has to be. */
function leafRule(first: Certificate, signatureKey: Uint8Array): X509Rule | undefined {
  if (sameBytes(first.subject, EMPTY_NAME) && !first.isNamedCritically) return 'x509-client'
  if (!isOfKey(first, signatureKey)) return 'x509-key'
  const usage = first.keyUsage ?? 0
  if (first.isAuthority || (usage & KEY_USAGE.digitalSignature) === 0 || (usage & KEY_USAGE.keyCertSign) !== 0) return 'x509-usage'
  return first.hasUnknownCritical ? 'x509-critical' : undefined
}

/** RFC 9420 §5.3.1: of the same key, in whichever form the leaf has it. */
function isOfKey({ publicKey }: Certificate, signatureKey: Uint8Array): boolean {
  const [certified, wanted] = [importKey(publicKey), canonicalKey(signatureKey)]
  if (certified === undefined || wanted === undefined) return false
  try {
    return schemeOfKey(certified) === wanted.scheme && sameBytes(signaturePublicKey(certified), wanted.publicKey)
  } catch {
    return false // a kind of key that MLS does not sign with
  }
}

/**
 * The issuers from the leaf's upwards, an authority last; undefined if the chain does not lead to one. From the top down, so that no signature
 * is checked by a key that no authority has certified.
 */
async function pathTo(
  authorities: readonly Uint8Array[],
  first: Certificate,
  above: readonly Certificate[],
): Promise<readonly Certificate[] | undefined> {
  // An authority may be in the chain or be left out; nothing above it is looked at.
  const at = above.findIndex(({ bytes }) => authorities.some((one) => sameBytes(one, bytes)))
  const given = at < 0 ? above : above.slice(0, at + 1)
  const authority = at < 0 ? await issuerAmong(authorities, given.at(-1) ?? first) : undefined
  if (at < 0 && authority === undefined) return undefined
  const path = authority === undefined ? given : [...given, authority]
  const known = authority === undefined ? 1 : 2
  for (let index = path.length - known; index >= 0; index--) {
    const [issuer, below] = [path[index], index === 0 ? first : path[index - 1]]
    if (issuer === undefined || below === undefined || !(await isIssuedBy(below, issuer))) return undefined
  }
  return path
}

async function issuerAmong(authorities: readonly Uint8Array[], certificate: Certificate): Promise<Certificate | undefined> {
  for (const bytes of authorities) {
    const authority = decodeCertificate(bytes)
    if (authority.kind === 'decoded' && (await isIssuedBy(certificate, authority.value))) return authority.value
  }
  return undefined
}

/** By name and signature. */
async function isIssuedBy(certificate: Certificate, issuer: Certificate): Promise<boolean> {
  if (!sameBytes(certificate.issuer, issuer.subject)) return false
  const algorithm = ALGORITHMS.get(certificate.signatureAlgorithm)
  const key = importKey(issuer.publicKey)
  if (algorithm === undefined || key === undefined || !isFit(key, algorithm.keyType)) return false
  return new Promise((resolve) => {
    verify(algorithm.digest, certificate.tbs, key, certificate.signature, (error, valid) => resolve(error === null && valid))
  })
}

function isFit(key: KeyObject, keyType: string): boolean {
  if (key.asymmetricKeyType !== keyType) return false
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  if (keyType === 'ec') return CURVES.has(namedCurve)
  return keyType !== 'rsa' || (modulusLength >= RSA_BITS[0] && modulusLength <= RSA_BITS[1])
}

/** @param depth authorities between it and the device's certificate @param below all certificates below it */
function mayIssue(issuer: Certificate, depth: number, client: string, below: readonly Certificate[]): boolean {
  const { isAuthority, pathLength, keyUsage, constraints } = issuer
  if (!isAuthority || keyUsage === undefined || (keyUsage & KEY_USAGE.keyCertSign) === 0) return false
  if (pathLength !== undefined && pathLength < depth) return false
  if (constraints === undefined) return true
  if (constraints.onDirectoryNames && below.some(({ subject }) => !sameBytes(subject, EMPTY_NAME))) return false
  return permitsUri(constraints, client)
}

function importKey(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  } catch {
    return undefined // a kind that this Node does not know, or a point off its curve
  }
}
