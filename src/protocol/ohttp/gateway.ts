import { createCipheriv, createPrivateKey, createPublicKey, hkdfSync, randomBytes } from 'node:crypto'
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256, type RecipientContext } from '@hpke/core'
import { decodeWhole } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'

/** DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM: what every implementation has (RFC 9458 §3.1). */
const [KEM, KDF, AEAD] = [0x0020, 0x0001, 0x0001]
const ENC_BYTES = 32
/** Of AES-128-GCM. */
const [KEY_BYTES, IV_BYTES] = [16, 12]

const suite = () => new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() })

/** A gateway's key, of which clients are told the public half. */
export interface GatewayKey {
  /** One byte. */
  readonly id: number
  /** X25519, 32 bytes. */
  readonly privateKey: Uint8Array
}

/** A request in the clear, and the way back for its answer. */
export interface OpenedRequest {
  readonly request: Uint8Array
  sealResponse(response: Uint8Array): Promise<Uint8Array>
}

/** `application/ohttp-keys` (RFC 9458 §3.2): the key to use first. */
export function encodeKeyConfigs(keys: readonly GatewayKey[]): Uint8Array {
  const writer = new TlsWriter()
  for (const key of keys) {
    const config = new TlsWriter().uint8(key.id).uint16(KEM).raw(publicKeyOf(key)).uint16(4).uint16(KDF).uint16(AEAD).written()
    writer.uint16(config.length).raw(config)
  }
  return writer.written()
}

/** An Encapsulated Request (RFC 9458 §4.3). Undefined for one that is not for any of these keys, or is not what was sent. Never throws. */
export async function openRequest(keys: readonly GatewayKey[], message: Uint8Array): Promise<OpenedRequest | undefined> {
  const decoded = decodeWhole(message, (reader) => {
    const id = reader.uint8()
    const [kem, kdf, aead] = [reader.uint16(), reader.uint16(), reader.uint16()]
    const header = reader.since(0)
    return {
      id,
      known: kem === KEM && kdf === KDF && aead === AEAD,
      header,
      enc: reader.fixed(ENC_BYTES),
      ciphertext: reader.fixed(reader.remaining),
    }
  })
  if (decoded.kind === 'malformed' || !decoded.value.known) return undefined
  const { id, header, enc, ciphertext } = decoded.value
  const key = keys.find((one) => one.id === id)
  if (!key) return undefined
  try {
    const hpke = suite()
    const recipientKey = await hpke.kem.deserializePrivateKey(bufferOf(key.privateKey))
    const context = await hpke.createRecipientContext({ recipientKey, enc: bufferOf(enc), info: requestInfo(header) })
    const request = new Uint8Array(await context.open(bufferOf(ciphertext)))
    return { request, sealResponse: (response) => sealResponse(context, enc, response, randomBytes(KEY_BYTES)) }
  } catch {
    return undefined // another key, or changed on the way
  }
}

/** An Encapsulated Response (RFC 9458 §4.4). @param nonce random, as long as a key */
export async function sealResponse(
  context: Pick<RecipientContext, 'export'>,
  enc: Uint8Array,
  response: Uint8Array,
  nonce: Uint8Array,
): Promise<Uint8Array> {
  const secret = await context.export(bufferOf(Buffer.from('message/bhttp response')), KEY_BYTES)
  const salt = Buffer.concat([enc, nonce])
  const derive = (label: string, length: number) => Buffer.from(hkdfSync('sha256', new Uint8Array(secret), salt, label, length))
  const cipher = createCipheriv('aes-128-gcm', derive('key', KEY_BYTES), derive('nonce', IV_BYTES))
  return new Uint8Array(Buffer.concat([nonce, cipher.update(response), cipher.final(), cipher.getAuthTag()]))
}

/** PKCS #8 of an X25519 key, up to its 32 bytes (RFC 8410 §7). */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

function publicKeyOf({ privateKey }: GatewayKey): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, privateKey]), format: 'der', type: 'pkcs8' })
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  return Buffer.from(x, 'base64url')
}

function requestInfo(header: Uint8Array): ArrayBuffer {
  return bufferOf(Buffer.concat([Buffer.from('message/bhttp request'), Buffer.of(0), header]))
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
