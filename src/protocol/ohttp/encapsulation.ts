import { hkdfSync, randomBytes } from 'node:crypto'
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256, type RecipientContext, type SenderContext } from '@hpke/core'
import { decodeWhole } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { AEAD_NONCE_BYTES, aeadId, aeadKeyBytes, aeadOf, open, seal, type Aead, type AeadKey } from './aead.js'
import { KDF_ID, KEM_ID, X25519_KEY_BYTES, type KeyConfig } from './key-config.js'

const REQUEST_LABEL = 'message/bhttp request'

/** A request for the gateway. Make a new one for each attempt: relays would see that two of the same bytes belong together. */
interface EncapsulatedRequest {
  /** `message/ohttp-req`. */
  readonly message: Uint8Array
  /** Opens `message/ohttp-res`; undefined for bytes that are not the gateway's answer. Never throws. */
  openResponse(bytes: Uint8Array): Uint8Array | undefined
}

/** A request in the clear, and the way back for its answer. */
interface DecapsulatedRequest {
  readonly request: Uint8Array
  /** @returns `message/ohttp-res`; with another nonce each time */
  sealResponse(response: Uint8Array): Uint8Array
}

/** RFC 9458 §4.3, with the AEAD that the gateway likes best. Undefined if the configuration has a key that is none, or no AEAD. */
export async function encapsulateRequest(
  { id, publicKey, aeads: [aead] }: KeyConfig,
  request: Uint8Array,
): Promise<EncapsulatedRequest | undefined> {
  if (!aead) return undefined
  const header = new TlsWriter().uint8(id).uint16(KEM_ID).uint16(KDF_ID).uint16(aeadId(aead)).written()
  try {
    const hpke = cipherSuite(aead)
    const recipientPublicKey = await hpke.kem.deserializePublicKey(bufferOf(publicKey))
    const context = await hpke.createSenderContext({ recipientPublicKey, info: requestInfo(header) })
    const enc = new Uint8Array(context.enc)
    const ciphertext = new Uint8Array(await context.seal(bufferOf(request)))
    const secret = await responseSecret(context, aead, enc)
    return {
      message: new Uint8Array(Buffer.concat([header, enc, ciphertext])),
      openResponse: (bytes) => decapsulateResponse(secret, bytes),
    }
  } catch {
    return undefined // the only input that can be wrong is the key
  }
}

/**
 * RFC 9458 §4.3. Undefined for a message that is cut short, changed, for none of these keys, or of algorithms that are not known
 * here: which of these it is, is nobody's business. Never throws for any `message`.
 * @param keys X25519, 32 bytes each, by key id @throws RangeError for a key of another length, which is a mistake of the server's own
 */
export async function decapsulateRequest(
  keys: ReadonlyMap<number, Uint8Array>,
  message: Uint8Array,
): Promise<DecapsulatedRequest | undefined> {
  const parts = readMessage(message)
  const privateKey = parts && keys.get(parts.id)
  if (!privateKey) return undefined
  if (privateKey.length !== X25519_KEY_BYTES) throw new RangeError('not an X25519 key')
  const { aead, header, enc, ciphertext } = parts
  try {
    const hpke = cipherSuite(aead)
    const recipientKey = await hpke.kem.deserializePrivateKey(bufferOf(privateKey))
    const context = await hpke.createRecipientContext({ recipientKey, enc: bufferOf(enc), info: requestInfo(header) })
    const request = new Uint8Array(await context.open(bufferOf(ciphertext)))
    const secret = await responseSecret(context, aead, enc)
    return { request, sealResponse: (response) => encapsulateResponse(secret, randomBytes(responseNonceBytes(aead)), response) }
  } catch {
    return undefined // another key, or changed on the way
  }
}

interface Message {
  readonly id: number
  readonly aead: Aead
  readonly header: Uint8Array
  readonly enc: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Undefined if it is cut short or its algorithms are not ours. */
function readMessage(message: Uint8Array): Message | undefined {
  const decoded = decodeWhole(message, (reader) => {
    const id = reader.uint8()
    const isOurs = [reader.uint16() === KEM_ID, reader.uint16() === KDF_ID].every(Boolean)
    const aead = aeadOf(reader.uint16())
    const header = reader.since(0)
    const [enc, ciphertext] = [reader.fixed(X25519_KEY_BYTES), reader.fixed(reader.remaining)]
    return isOurs && aead ? { id, aead, header, enc, ciphertext } : undefined
  })
  return decoded.kind === 'decoded' ? decoded.value : undefined
}

function cipherSuite(aead: Aead): CipherSuite {
  const instance = aead === 'aes-128-gcm' ? new Aes128Gcm() : new Chacha20Poly1305()
  return new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: instance })
}

/** The header is in it, so that none of the ids can be changed on the way. */
function requestInfo(header: Uint8Array): ArrayBuffer {
  return bufferOf(Buffer.concat([Buffer.from(REQUEST_LABEL), Buffer.of(0), header]))
}

async function responseSecret(context: SenderContext | RecipientContext, aead: Aead, enc: Uint8Array): Promise<ResponseSecret> {
  const secret = await context.export(bufferOf(Buffer.from(RESPONSE_LABEL)), responseNonceBytes(aead))
  // A copy, since the caller may use the memory of the message again before the response.
  return { aead, enc: enc.slice(), secret: new Uint8Array(secret) }
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

/** What the exporter of the request's HPKE context is asked for (RFC 9458 §4.4). */
const RESPONSE_LABEL = 'message/bhttp response'

/** What both sides know of a request, once it is encapsulated or opened. */
export interface ResponseSecret {
  readonly aead: Aead
  /** The request's encapsulated key. */
  readonly enc: Uint8Array
  /** Exported with RESPONSE_LABEL, `responseNonceBytes` long. */
  readonly secret: Uint8Array
}

/** `max(Nn, Nk)` of RFC 9458 §4.4, which is the length of the exported secret as well. */
function responseNonceBytes(aead: Aead): number {
  return Math.max(AEAD_NONCE_BYTES, aeadKeyBytes(aead))
}

/** An Encapsulated Response (RFC 9458 §4.4). @param nonce `responseNonceBytes` long, random, for this response only */
export function encapsulateResponse(secret: ResponseSecret, nonce: Uint8Array, response: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([nonce, seal(responseKey(secret, nonce), response)]))
}

/** Undefined for bytes that are no answer to the request. Never throws for any `message`: of one that is too short for a nonce, no tag is left. */
export function decapsulateResponse(secret: ResponseSecret, message: Uint8Array): Uint8Array | undefined {
  const nonceBytes = responseNonceBytes(secret.aead)
  return open(responseKey(secret, message.subarray(0, nonceBytes)), message.subarray(nonceBytes))
}

function responseKey({ aead, enc, secret }: ResponseSecret, nonce: Uint8Array): AeadKey {
  const salt = Buffer.concat([enc, nonce])
  const derive = (label: string, length: number) => new Uint8Array(hkdfSync('sha256', secret, salt, label, length))
  return { aead, key: derive('key', aeadKeyBytes(aead)), nonce: derive('nonce', AEAD_NONCE_BYTES) }
}
