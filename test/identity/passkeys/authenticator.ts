import 'reflect-metadata'
import { createPublicKey, generateKeyPairSync, KeyObject, sign, webcrypto } from 'node:crypto'
import { BasicConstraintsExtension, Extension, X509CertificateGenerator, type X509Certificate } from '@peculiar/x509'
import { encode } from 'cborg'
import type { Passkey } from '../../../examples/client/identity/passkeys.js'
import { listKey } from '../../support/mls/device-lists.js'
import { sha256 } from '../../../src/protocol/sha256.js'

const DAY = 86_400_000
const AAGUID_EXTENSION = '1.3.6.1.4.1.45724.1.1.4'
const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export const AAGUID = '01020304-0506-0708-0102-030405060708'
const bytesOf = (aaguid: string) => Buffer.from(aaguid.replaceAll('-', ''), 'hex')

/** What an authenticator, a browser or their maker would say otherwise than they should. */
export interface RegistrationWish {
  type?: string
  origin?: string
  rpId?: string
  crossOrigin?: boolean
  flags?: number
  aaguid?: string
  fmt?: string
  /** The attestation is of this key. */
  key?: KeyObject
  /** Signs the attestation in place of the passkey, or of the maker. */
  signer?: KeyObject
  /** Signed is something else. */
  over?: Uint8Array
  counter?: number
}

export interface Registration {
  clientDataJson: Uint8Array
  attestationObject: Uint8Array
}

/** A maker of authenticators: issues certificates for what they attest with. */
export class Maker {
  private constructor(
    readonly root: X509Certificate,
    /** The authenticator's own first. */
    readonly chain: readonly X509Certificate[],
    readonly key: KeyObject,
  ) {}

  static async make({ aaguid = AAGUID, until = Date.now() + DAY, middleUntil = Date.now() + DAY, ca = true } = {}): Promise<Maker> {
    const [rootKeys, middleKeys, keys] = await Promise.all(
      [1, 2, 3].map(() => webcrypto.subtle.generateKey(ES256, true, ['sign', 'verify'])),
    )
    const root = await issue('CN=Root', 'CN=Root', rootKeys!.publicKey, rootKeys!.privateKey, [new BasicConstraintsExtension(true)])
    const middle = await issue(
      'CN=Batch',
      'CN=Root',
      middleKeys!.publicKey,
      rootKeys!.privateKey,
      [new BasicConstraintsExtension(ca)],
      middleUntil,
    )
    const name = 'C=SE, O=Maker, OU=Authenticator Attestation, CN=Batch 1'
    const extensions = [
      new BasicConstraintsExtension(false),
      new Extension(AAGUID_EXTENSION, false, Buffer.concat([Buffer.of(0x04, 16), bytesOf(aaguid)])),
    ]
    const own = await issue(name, 'CN=Batch', keys!.publicKey, middleKeys!.privateKey, extensions, until)
    return new Maker(root, [own, middle], KeyObject.from(keys!.privateKey))
  }
}

function issue(
  subject: string,
  issuer: string,
  publicKey: webcrypto.CryptoKey,
  signingKey: webcrypto.CryptoKey,
  extensions: Extension[],
  until = Date.now() + DAY,
): Promise<X509Certificate> {
  const [notBefore, notAfter] = [new Date(Date.now() - 2 * DAY), new Date(until)]
  return X509CertificateGenerator.create(
    { subject, issuer, publicKey, signingKey, extensions, notBefore, notAfter, signingAlgorithm: ES256, serialNumber: '01' },
    webcrypto,
  )
}

/**
 * What `navigator.credentials.create` answers (W3C Web Authentication Level 2 §6.5, §8.2), by a software authenticator.
 * @param maker undefined: the passkey attests itself
 */
export function registrationOf(
  passkey: KeyObject,
  { rpId, challenge }: { rpId: string; challenge: Uint8Array },
  maker?: Pick<Maker, 'chain' | 'key'>,
  wish: RegistrationWish = {},
): Registration {
  const client = {
    type: wish.type ?? 'webauthn.create',
    challenge: Buffer.from(challenge).toString('base64url'),
    origin: wish.origin ?? `https://${rpId}`,
    crossOrigin: wish.crossOrigin ?? false,
  }
  const clientDataJson = Buffer.from(JSON.stringify(client))
  const authData = authenticatorData(wish.key ?? passkey, rpId, wish)
  const key = wish.signer ?? maker?.key ?? passkey
  const sig = sign(key.asymmetricKeyType === 'ec' ? 'sha256' : null, wish.over ?? Buffer.concat([authData, sha256(clientDataJson)]), key)
  const alg = key.asymmetricKeyType === 'ec' ? -7 : -8
  const x5c = maker?.chain.map((certificate) => new Uint8Array(certificate.rawData))
  const attStmt = wish.fmt === 'none' ? {} : { alg, sig: new Uint8Array(sig), ...(x5c === undefined ? {} : { x5c }) }
  return { clientDataJson, attestationObject: encode({ fmt: wish.fmt ?? 'packed', attStmt, authData: new Uint8Array(authData) }) }
}

/** User present and verified, with an attested credential. */
const FLAGS = 0x45

/** A passkey of the example client. @param more members that a browser adds to the client data */
export function softwarePasskey(rpId: string, key = newPasskeyKey(), more: object = {}): Passkey & { asked: number } {
  const { scheme, publicKey } = listKey(key)
  return {
    ...{ rpId, scheme, publicKey, asked: 0 },
    async assert(challenge) {
      this.asked++
      const client = { type: 'webauthn.get', challenge: Buffer.from(challenge).toString('base64url'), origin: `https://${rpId}` }
      const clientDataJson = Buffer.from(JSON.stringify({ ...client, crossOrigin: false, ...more }))
      const authenticator = Buffer.concat([sha256(rpId), Buffer.of(0x05), Buffer.alloc(4)])
      const digest = key.asymmetricKeyType === 'ec' ? 'sha256' : null
      const signature = sign(digest, Buffer.concat([authenticator, sha256(clientDataJson)]), key)
      return { authenticatorData: authenticator, clientDataJson, signature }
    },
  }
}

function authenticatorData(key: KeyObject, rpId: string, wish: RegistrationWish): Buffer {
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(wish.counter ?? 0)
  const id = Buffer.alloc(16, 7)
  return Buffer.concat([
    sha256(wish.rpId ?? rpId),
    Buffer.of(wish.flags ?? FLAGS),
    counter,
    bytesOf(wish.aaguid ?? AAGUID),
    Buffer.of(0, id.length),
    id,
    encode(coseKey(key)),
  ])
}

function coseKey(key: KeyObject): Map<number, number | Uint8Array> {
  const { crv, x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' })
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'))
  if (crv === 'Ed25519')
    return new Map<number, number | Uint8Array>([
      [1, 1],
      [3, -8],
      [-1, 6],
      [-2, bytes(x)],
    ])
  return new Map<number, number | Uint8Array>([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, bytes(x)],
    [-3, bytes(y)],
  ])
}

export const newPasskeyKey = (type: 'ec' | 'ed25519' = 'ec'): KeyObject =>
  type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : generateKeyPairSync('ed25519').privateKey
