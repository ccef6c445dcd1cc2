import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { rawKey } from './tls.js'

export const PROFILE = 'microchat-2'
const base64url = (content: string | Uint8Array) => Buffer.from(content).toString('base64url')
export const seconds = (): number => Math.floor(Date.now() / 1000)

export interface HostileKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export function newKey(kid: string): HostileKey {
  return { kid, ...generateKeyPairSync('ed25519') }
}

/** A JWK of a directory. */
export const jwk = ({ kid, publicKey }: HostileKey, more: object = {}): object => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x: base64url(rawKey(publicKey)),
  kid,
  nbf: seconds() - 60,
  ...more,
})

const ENDPOINTS = {
  keyMaterial: 'targetUser',
  update: 'roomId',
  notify: 'roomId',
  submitMessage: 'roomId',
  groupInfo: 'roomId',
  requestConsent: 'targetDomain',
  updateConsent: 'requesterDomain',
  identifierQuery: 'domain',
  log: 'roomId',
  deleteRoom: 'roomId',
  operation: 'roomId',
  room: 'roomId',
  directory: 'user',
}

export type Template = (url: string, name: string, variable: string) => string
export const inQuery: Template = (url, name, variable) => `${url}/mimi/v1/${name}?${variable}={${variable}}`

export function endpointsAt(url: string, template: Template = inQuery): Record<string, string> {
  return Object.fromEntries(Object.entries(ENDPOINTS).map(([name, variable]) => [name, template(url, name, variable)]))
}

/** A signature of a JWS (RFC 7515 §7.2.1). */
export function jwsSignature(payload: string, { kid, privateKey }: HostileKey, header: object = {}) {
  const head = base64url(JSON.stringify({ alg: 'EdDSA', kid, typ: 'mimi-key-directory', ...header }))
  return { protected: head, signature: base64url(sign(null, Buffer.from(`${head}.${payload}`), privateKey)) }
}

export interface Signed {
  readonly payload: string
  readonly signatures: readonly { protected: string; signature: string }[]
}

/** What a directory says, and who signs it. */
export interface Said {
  readonly domain: string
  readonly url: string
  /** Named in it. */
  readonly keys: readonly HostileKey[]
  /** Otherwise those that are named. */
  readonly signers?: readonly HostileKey[]
  readonly issued?: number
  /** Changes of the payload. */
  readonly more?: object
  readonly template?: Template
  /** Of each signature. */
  readonly header?: object
}

export function signedDirectory({
  domain,
  url,
  keys,
  signers = keys,
  issued = seconds(),
  more = {},
  template = inQuery,
  header = {},
}: Said): Signed {
  const content = {
    domain,
    issued_at: issued,
    expires_at: issued + 7 * 86_400,
    profiles: [PROFILE],
    features: ['mischief'],
    endpoints: endpointsAt(url, template),
    keys: keys.map((key) => jwk(key)),
    ...more,
  }
  const payload = base64url(JSON.stringify(content))
  return { payload, signatures: signers.map((key) => jwsSignature(payload, key, header)) }
}

/** The document at the well-known address. @param url of the endpoints beside the signed part */
export function documentOf(key_directory: Signed, url: string, template: Template = inQuery): string {
  return JSON.stringify({ ...endpointsAt(url, template), profiles: [PROFILE], key_directory })
}
