import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from './config/config.js'

const VERSION = 1
const IV_BYTES = 12
const TAG_BYTES = 16

/** Keys that only this deployment has, all derived from SERVER_SECRET by purpose (HKDF, RFC 5869). */
@Injectable()
export class Secrets {
  private readonly root: Buffer
  /** As objects of OpenSSL: from bytes, one would be made for each use, which takes five times as long as the HMAC of a short text. */
  private readonly derived = new Map<string, KeyObject>()
  private readonly prefixes = new Map<string, string>()

  constructor(@Inject(CONFIG) config: Pick<Config, 'SERVER_SECRET'>) {
    if (!config.SERVER_SECRET) throw new Error('SERVER_SECRET is required (openssl rand -base64 32)')
    this.root = Buffer.from(config.SERVER_SECRET, 'base64')
  }

  /** AES-256-GCM: version, IV, tag, ciphertext. The purpose is the key and the associated data. */
  seal(purpose: string, plaintext: Uint8Array): Uint8Array {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.key(`seal ${purpose}`), iv).setAAD(Buffer.from(purpose))
    const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()])
    return new Uint8Array(Buffer.concat([Buffer.of(VERSION), iv, cipher.getAuthTag(), sealed]))
  }

  /** @throws if it was sealed for another purpose, under another secret, or changed since */
  open(purpose: string, sealed: Uint8Array): Uint8Array {
    const bytes = Buffer.from(sealed)
    if (bytes[0] !== VERSION || bytes.length < 1 + IV_BYTES + TAG_BYTES) throw new Error('Not a sealed value')
    const decipher = createDecipheriv('aes-256-gcm', this.key(`seal ${purpose}`), bytes.subarray(1, 1 + IV_BYTES))
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(bytes.subarray(1 + IV_BYTES, 1 + IV_BYTES + TAG_BYTES))
    const plaintext = Buffer.concat([decipher.update(bytes.subarray(1 + IV_BYTES + TAG_BYTES)), decipher.final()])
    return new Uint8Array(plaintext)
  }

  /** HMAC-SHA-256 under the purpose's key. */
  mac(purpose: string, data: Uint8Array): Uint8Array {
    return new Uint8Array(
      createHmac('sha256', this.key(`mac ${purpose}`))
        .update(data)
        .digest(),
    )
  }

  /**
   * Stands for a short text where nobody may recognise it: the first 128 bits of SHA-256 over the purpose's key and the text, in hex. A tenth of the time of
   * an HMAC, which on the hot path is a part of what a request costs; cut, it is not open to a continuation of the text.
   */
  pseudonym(purpose: string, text: string): string {
    let key = this.prefixes.get(purpose)
    if (key === undefined) {
      key = this.key(`pseudonym ${purpose}`).export().toString('hex')
      this.prefixes.set(purpose, key)
    }
    return hash('sha256', key + text, 'hex').slice(0, 32)
  }

  /** Compares in constant time; `mac` may be a truncation of at least 16 bytes. */
  verifyMac(purpose: string, data: Uint8Array, mac: Uint8Array): boolean {
    if (mac.length < 16 || mac.length > 32) return false
    return timingSafeEqual(this.mac(purpose, data).subarray(0, mac.length), mac)
  }

  private key(purpose: string): KeyObject {
    const known = this.derived.get(purpose)
    if (known) return known
    const key = createSecretKey(Buffer.from(hkdfSync('sha256', this.root, 'microchat v1', purpose, 32)))
    this.derived.set(purpose, key)
    return key
  }
}
