import { createDecipheriv, createECDH, createHmac, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import type { Curve, Suite } from './suite.js'

/** HPKE's OpenBase (RFC 9180 §6.1) with an empty associated data: what a client does, in tests only. */
export function openBase(suite: Suite, privateKey: Uint8Array, enc: Uint8Array, info: Uint8Array, ciphertext: Uint8Array): Buffer {
  const { kem, aead, hash } = suite
  const id = Buffer.concat([Buffer.from('HPKE'), uint16(kem.id), uint16(suite.kdfId), uint16(aead.id)])
  const sharedSecret = decapsulate(suite, privateKey, enc)
  const context = Buffer.concat([
    Buffer.of(0),
    labeledExtract(hash, id, Buffer.alloc(0), 'psk_id_hash', Buffer.alloc(0)),
    labeledExtract(hash, id, Buffer.alloc(0), 'info_hash', info),
  ])
  const secret = labeledExtract(hash, id, sharedSecret, 'secret', Buffer.alloc(0))
  const key = labeledExpand(hash, id, secret, 'key', context, aead.keyBytes)
  return openAead(suite, key, labeledExpand(hash, id, secret, 'base_nonce', context, 12), ciphertext)
}

export function openAead({ aead }: Suite, key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Buffer {
  const cipher = aead.cipher as 'aes-128-gcm'
  const decipher = createDecipheriv(cipher, key, nonce, { authTagLength: 16 })
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
}

export function extract(hash: string, salt: Uint8Array, key: Uint8Array): Buffer {
  return createHmac(hash, salt).update(key).digest()
}

export function expand(hash: string, secret: Uint8Array, info: Uint8Array, length: number): Buffer {
  let block = Buffer.alloc(0)
  let output = Buffer.alloc(0)
  for (let counter = 1; output.length < length; counter++) {
    block = createHmac(hash, secret).update(block).update(info).update(Buffer.of(counter)).digest()
    output = Buffer.concat([output, block])
  }
  return output.subarray(0, length)
}

export function uint16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff)
}

function decapsulate({ kem }: Suite, privateKey: Uint8Array, enc: Uint8Array): Buffer {
  const id = Buffer.concat([Buffer.from('KEM'), uint16(kem.id)])
  const { secret, publicKey } = agree(kem.curve, privateKey, enc)
  const prk = labeledExtract(kem.hash, id, Buffer.alloc(0), 'eae_prk', secret)
  return labeledExpand(kem.hash, id, prk, 'shared_secret', Buffer.concat([enc, publicKey]), kem.secretBytes)
}

/** The Diffie-Hellman secret, and the public key of the private one. */
function agree(curve: Curve, privateKey: Uint8Array, peer: Uint8Array): { secret: Buffer; publicKey: Buffer } {
  if (curve !== 'x25519' && curve !== 'x448') {
    const ecdh = createECDH(curve)
    ecdh.setPrivateKey(privateKey)
    return { secret: ecdh.computeSecret(peer), publicKey: ecdh.getPublicKey() }
  }
  const [oid, crv] = curve === 'x25519' ? ['2b656e', 'X25519'] : ['2b656f', 'X448']
  const size = privateKey.length
  const pkcs8 = `30${hex(size + 14)}02010030050603${oid}04${hex(size + 2)}04${hex(size)}${Buffer.from(privateKey).toString('hex')}`
  const own = createPrivateKey({ key: Buffer.from(pkcs8, 'hex'), format: 'der', type: 'pkcs8' })
  const x = Buffer.from(peer).toString('base64url')
  const other = createPublicKey({ key: { kty: 'OKP', crv, x }, format: 'jwk' })
  const publicKey = createPublicKey(own).export({ format: 'der', type: 'spki' }).subarray(-size)
  return { secret: diffieHellman({ privateKey: own, publicKey: other }), publicKey }
}

function labeledExtract(hash: string, id: Buffer, salt: Uint8Array, label: string, key: Uint8Array): Buffer {
  return extract(hash, salt, Buffer.concat([Buffer.from('HPKE-v1'), id, Buffer.from(label), key]))
}

function labeledExpand(hash: string, id: Buffer, prk: Uint8Array, label: string, info: Uint8Array, length: number): Buffer {
  return expand(hash, prk, Buffer.concat([uint16(length), Buffer.from('HPKE-v1'), id, Buffer.from(label), info]), length)
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
