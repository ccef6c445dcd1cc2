import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  ECDH,
  generateKeyPairSync,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from 'node:crypto'
import type { Ciphersuite, CiphersuiteImpl, Hash, Kdf, Signature, SignatureAlgorithm } from 'ts-mls'

/**
 * The library's cipher suite with hashes, key derivation and signatures by node:crypto. In a browser leave it out: the library
 * brings all of them, only slower, and with compressed P-256 keys where RFC 9420 §5.1.1 wants the uncompressed point.
 */
export function withNodeCrypto(impl: CiphersuiteImpl, { hash, signature }: Ciphersuite): CiphersuiteImpl {
  const digest = hash.replace('-', '').toLowerCase()
  const fast = signatures[signature]
  return { ...impl, hash: hashes(digest), kdf: hkdf(digest, impl.kdf.size), ...(fast ? { signature: fast } : {}) }
}

function hashes(digest: string): Hash {
  const mac = (key: Uint8Array, data: Uint8Array) => createHmac(digest, key).update(data).digest()
  return {
    digest: async (data) => plain(createHash(digest).update(data).digest()),
    mac: async (key, data) => plain(mac(key, data)),
    verifyMac: async (key, given, data) => given.length === mac(key, data).length && timingSafeEqual(mac(key, data), given),
  }
}

/** HKDF (RFC 5869). */
function hkdf(digest: string, size: number): Kdf {
  return {
    size,
    extract: async (salt, ikm) => plain(createHmac(digest, salt).update(ikm).digest()),
    expand: async (prk, info, length) => {
      const blocks: Buffer[] = []
      for (let counter = 1; (counter - 1) * size < length; counter++) {
        const previous = blocks.at(-1) ?? Buffer.alloc(0)
        blocks.push(createHmac(digest, prk).update(previous).update(info).update(Uint8Array.of(counter)).digest())
      }
      return plain(Buffer.concat(blocks).subarray(0, length))
    },
  }
}

const signatures: Partial<Record<SignatureAlgorithm, Signature>> = {
  Ed25519: signatureBy(null, () => generateKeyPairSync('ed25519'), 32),
  P256: signatureBy('sha256', () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }), 65, 'prime256v1'),
  P384: signatureBy('sha384', () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }), 97, 'secp384r1'),
}

/** Private keys are PKCS #8; public ones are what stands at the end of an SPKI: 32 raw bytes, or the uncompressed point. */
function signatureBy(
  digest: string | null,
  generate: () => { publicKey: KeyObject; privateKey: KeyObject },
  length: number,
  curve?: string,
): Signature {
  const spki = (key: KeyObject) => key.export({ format: 'der', type: 'spki' })
  const template = spki(generate().publicKey)
  const prefix = template.subarray(0, template.length - length)
  const point = (key: Uint8Array) =>
    curve && key.length < length ? Buffer.from(ECDH.convertKey(key, curve, undefined, undefined, 'uncompressed')) : key
  const publicKey = (key: Uint8Array) => createPublicKey({ key: Buffer.concat([prefix, point(key)]), format: 'der', type: 'spki' })
  return {
    keygen: async () => {
      const pair = generate()
      return {
        publicKey: plain(spki(pair.publicKey).subarray(prefix.length)),
        signKey: plain(pair.privateKey.export({ format: 'der', type: 'pkcs8' })),
      }
    },
    sign: async (signKey, message) =>
      plain(sign(digest, message, createPrivateKey({ key: Buffer.from(signKey), format: 'der', type: 'pkcs8' }))),
    verify: async (key, message, signature) => verify(digest, message, publicKey(key), signature),
  }
}

const plain = (buffer: Buffer): Uint8Array => new Uint8Array(buffer)
