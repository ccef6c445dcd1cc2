import { createDecipheriv, hkdfSync } from 'node:crypto'
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import { vector } from '../mls/tls.js'
import type { SealedRequest } from './sealed-post.js'

/** Requests to a gateway are padded to a multiple of this, so that their size says little. */
const BLOCK = 2_048

/** What a gateway's `application/ohttp-keys` say first (RFC 9458 §3.1): X25519, HKDF-SHA256, AES-128-GCM. */
export interface GatewayConfig {
  /** Key id and algorithms, as they stand at the beginning of a request. */
  readonly header: Uint8Array
  readonly publicKey: Uint8Array
}

export function readKeyConfig(configs: Uint8Array): GatewayConfig {
  const first = Buffer.from(configs).subarray(2)
  if (first.readUInt16BE(1) !== 0x0020) throw new Error('The gateway has no X25519 key')
  const algorithms = first.subarray(37, 41)
  if (algorithms.toString('hex') !== '00010001') throw new Error('The gateway has none of our algorithms')
  return { header: Buffer.concat([first.subarray(0, 3), algorithms]), publicKey: first.subarray(3, 35) }
}

export interface Answer {
  readonly status: number
  readonly content: Uint8Array
}

/** An Encapsulated Request, and how to open what comes back (RFC 9458 §4.3, §4.4). Make a new one for each attempt. */
export async function encapsulate(
  { header, publicKey }: GatewayConfig,
  authority: string,
  request: SealedRequest,
): Promise<{ message: Uint8Array; open: (answer: Uint8Array) => Answer }> {
  const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() })
  const recipientPublicKey = await suite.kem.deserializePublicKey(bufferOf(publicKey))
  const info = Buffer.concat([Buffer.from('message/bhttp request\0'), header])
  const context = await suite.createSenderContext({ recipientPublicKey, info: bufferOf(info) })
  const sealed = await context.seal(bufferOf(binaryRequest(authority, request)))
  const enc = Buffer.from(context.enc)
  const secret = new Uint8Array(await context.export(bufferOf(Buffer.from('message/bhttp response')), 16))
  return {
    message: new Uint8Array(Buffer.concat([header, enc, Buffer.from(sealed)])),
    open: (answer) => readBinaryResponse(openResponse(secret, enc, Buffer.from(answer))),
  }
}

function openResponse(secret: Uint8Array, enc: Uint8Array, answer: Buffer): Buffer {
  const [nonce, sealed, tag] = [answer.subarray(0, 16), answer.subarray(16, -16), answer.subarray(-16)]
  const derive = (label: string, length: number) => Buffer.from(hkdfSync('sha256', secret, Buffer.concat([enc, nonce]), label, length))
  const decipher = createDecipheriv('aes-128-gcm', derive('key', 16), derive('nonce', 12)).setAuthTag(tag)
  return Buffer.concat([decipher.update(sealed), decipher.final()])
}

/** RFC 9292 §3.1: a request of known length, padded with zeros. */
function binaryRequest(authority: string, { method = 'POST', path, headers, body }: SealedRequest): Buffer {
  const text = (value: string) => vector(Buffer.from(value, 'latin1'))
  const fields = Object.entries(headers).flatMap(([name, value]) => [text(name), text(value)])
  const control = [method, 'https', authority, path].map(text)
  const parts = [Buffer.of(0), ...control, vector(Buffer.concat(fields)), vector(body), Buffer.of(0)]
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat(parts, Math.ceil(length / BLOCK) * BLOCK)
}

/** RFC 9292 §3.2, without informational responses. */
function readBinaryResponse(bytes: Buffer): Answer {
  if (bytes[0] !== 1) throw new Error('This is no response of known length')
  const status = bytes.readUInt16BE(1) & 0x3fff
  const [, content] = [readVector(bytes, 3), readVector(bytes, readVector(bytes, 3).end)]
  return { status, content: content.value }
}

function readVector(bytes: Buffer, at: number): { value: Uint8Array; end: number } {
  const size = 1 << ((bytes[at] ?? 0) >> 6)
  const length = size === 1 ? (bytes[at] ?? 0) : size === 2 ? bytes.readUInt16BE(at) & 0x3fff : bytes.readUInt32BE(at) & 0x3fff_ffff
  return { value: new Uint8Array(bytes.subarray(at + size, at + size + length)), end: at + size + length }
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
