import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { p256 } from '@noble/curves/nist.js'
import { signaturePublicKey } from '../../../src/protocol/mls/signature.js'
import type { X509Rule } from '../../../src/protocol/x509/rules.js'
import { encodeDer } from '../../../src/protocol/x509/der.js'
import {
  deviceCertificate,
  extension,
  testAuthority,
  uriName,
  type CertificateWish,
  type TestAuthority,
} from '../../support/mls/certificates.js'

/** Byte strings are hexadecimal, times are seconds since 1970. */
export interface X509Vector {
  name: string
  now: number
  /** DER, as the credential has them. */
  certificates: string[]
  /** The leaf's, as MLS encodes it. */
  signature_key: string
  /** Those that the client URI's own domain publishes; DER. */
  authorities: string[]
  /** `valid`, or the name of the rule that is broken. */
  result: 'valid' | X509Rule
  client?: string
  /** When the first of the chain ends: a KeyPackage that lasts longer breaks `x509-lifetime`. */
  not_after?: number
}

const NOW = 1_800_000_000
const DAY = 86_400
const PHONE = 'mimi://a.example/d/alice/phone'
const BOBS = 'mimi://a.example/d/bob/phone'

/** Ed25519 by a seed of 32 equal bytes: its signatures are always the same. */
function ed(fill: number): KeyObject {
  const head = Buffer.from('302e020100300506032b657004220420', 'hex')
  return createPrivateKey({ key: Buffer.concat([head, Buffer.alloc(32, fill)]), format: 'der', type: 'pkcs8' })
}

function publicP256(fill: number): KeyObject {
  const point = Buffer.from(p256.getPublicKey(Buffer.alloc(32, fill), false))
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'))
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x!, y: y! }, format: 'jwk' })
}

function authority(subject: string, fill: number, wish: CertificateWish = {}, above?: TestAuthority): TestAuthority {
  const life = { notBefore: NOW - DAY, notAfter: NOW + 400 * DAY, serial: Buffer.of(0x41, fill) }
  return testAuthority({ subject, ...life, ...wish }, above, ed(fill))
}

const key = ed(1)
const root = authority('root', 10, { permitted: [uriName('a.example')] })

function device(wish: CertificateWish = {}, issuer = root, of: KeyObject = key): Uint8Array {
  const life = { notBefore: NOW - DAY, notAfter: NOW + 7 * DAY, serial: Buffer.of(0x42, 1) }
  return deviceCertificate(issuer, of, PHONE, { ...life, ...wish })
}

type Case = readonly [name: string, chain: readonly Uint8Array[], more?: { by?: readonly TestAuthority[]; of?: KeyObject; now?: number }]

function valid(): Case[] {
  const upper = authority('upper', 11, { pathLength: 1 })
  const middle = authority('middle', 12, { pathLength: 0 }, upper)
  const p256Key = publicP256(2)
  return [
    ['a device’s certificate', [device()]],
    ['its authority in the chain', [device(), root.certificate]],
    ['one of two authorities', [device()], { by: [middle, root] }],
    ['a key of ECDSA P-256', [device({}, root, p256Key)], { of: p256Key }],
    ['an authority in between', [device({}, middle), middle.certificate], { by: [upper] }],
    ['its first second', [device({ notBefore: NOW })]],
    ['its last second', [device({ notAfter: NOW })]],
    ['31 days', [device({ notBefore: NOW, notAfter: NOW + 31 * DAY })]],
    ['a subject, and a name that is not critical', [device({ subject: 'alice', sanCritical: false })]],
    ['an unknown extension that is not critical', [device({ extensions: [extension('2a0304', false, Buffer.of(5, 0))] })]],
  ]
}

function broken(): Record<Exclude<X509Rule, 'x509-lifetime'>, Case[]> {
  const unknown = { extensions: [extension('2a0304', true, Buffer.of(5, 0))] }
  const shallow = authority('shallow', 13, { pathLength: 0 })
  const below = authority('below', 14, {}, shallow)
  const chain = [authority('one', 15)]
  for (const fill of [16, 17]) chain.unshift(authority(`number ${fill}`, fill, {}, chain[0]))
  const long = [device({}, chain[0]), ...chain.map(({ certificate }) => certificate)]
  const old = authority('old', 18, { notAfter: NOW - 1 })
  const strange = authority('strange', 19, unknown)
  const unable = authority('unable', 20, { usage: 0x80 })
  const elsewhere = authority('elsewhere', 21, { permitted: [uriName('b.example')] })
  const impostor = authority('root', 22)
  return {
    'x509-encoding': [
      ['no certificate', []],
      ['four certificates', long, { by: chain.slice(-1) }],
      ['a certificate that is cut short', [device().subarray(0, -1)]],
      ['a byte behind a certificate', [Buffer.concat([device(), Buffer.of(0)])]],
      ['4,097 bytes and more', [device({ extensions: [extension('2a0304', false, Buffer.alloc(4_096))] })]],
    ],
    'x509-critical': [
      ['an unknown critical extension', [device(unknown)]],
      ['an authority with an unknown critical extension', [device({}, strange)], { by: [strange] }],
    ],
    'x509-client': [
      ['no name', [device({ uris: [] })]],
      ['two URIs', [device({ uris: [PHONE, BOBS] })]],
      ['a host name besides', [device({ otherNames: [encodeDer(0x82, Buffer.from('a.example'))] })]],
      ['a user URI', [device({ uris: ['mimi://a.example/u/alice'] })]],
      ['no subject, and a name that is not critical', [device({ sanCritical: false })]],
    ],
    'x509-key': [['another key', [device({}, root, ed(3))]]],
    'x509-usage': [
      ['no usage', [device({ usage: undefined })]],
      ['a usage for encryption', [device({ usage: 0x20 })]],
      ['the right to sign certificates besides', [device({ usage: 0x84 })]],
      ['an authority’s certificate', [device({ authority: true })]],
    ],
    'x509-issuer': [
      ['no authority', [device()], { by: [] }],
      ['an authority of the same name and another key', [device({}, impostor)]],
      ['that one in the chain', [device({}, impostor), impostor.certificate]],
      ['an authority that may not sign certificates', [device({}, unable)], { by: [unable] }],
      ['an authority of another host', [device({}, elsewhere)], { by: [elsewhere] }],
      ['an authority below one of path length 0', [device({}, below), below.certificate], { by: [shallow] }],
    ],
    'x509-validity': [
      ['a second before it begins', [device({ notBefore: NOW + 1 })]],
      ['a second after its end', [device({ notAfter: NOW - 1 })]],
      ['31 days and a second', [device({ notBefore: NOW, notAfter: NOW + 31 * DAY + 1 })]],
      ['an authority that has ended', [device({}, old)], { by: [old] }],
    ],
  }
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export function makeVectors(): X509Vector[] {
  const vector = ([name, chain, { by = [root], of = key, now = NOW } = {}]: Case, result: X509Vector['result']): X509Vector => ({
    name,
    now,
    certificates: chain.map(toHex),
    signature_key: toHex(signaturePublicKey(of)),
    authorities: by.map(({ certificate }) => toHex(certificate)),
    result,
  })
  const right = valid().map((one) => {
    const ends = { 'its last second': NOW, '31 days': NOW + 31 * DAY }[one[0]]
    return { ...vector(one, 'valid'), client: PHONE, not_after: ends ?? NOW + 7 * DAY }
  })
  const wrong = Object.entries(broken()).flatMap(([rule, cases]) => cases.map((one) => vector(one, rule as X509Rule)))
  return [...right, ...wrong]
}
