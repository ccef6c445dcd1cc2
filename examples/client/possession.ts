import { createHash, createPrivateKey, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'

/** What a device signs its requests with, so that its tokens are worth nothing without it: a private Ed25519 key as a JWK (RFC 8037). */
export interface ProofKey {
  kty: 'OKP'
  crv: 'Ed25519'
  x: string
  d: string
}

export function newProofKey(): ProofKey {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as unknown as ProofKey
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/**
 * Makes a proof for each request (DPoP, RFC 9449 §4). The clock is the server's as far as we know it: a device whose own is wrong can work
 * all the same.
 */
export class Prover {
  readonly #privateKey: KeyObject
  readonly #head: string
  /** Seconds by which the server's clock is ahead of this one. */
  #ahead = 0

  constructor({ d, ...publicKey }: ProofKey) {
    this.#privateKey = createPrivateKey({ key: { ...publicKey, d }, format: 'jwk' })
    this.#head = part({ typ: 'dpop+jwt', alg: 'EdDSA', jwk: publicKey })
  }

  /** @param token the access token that goes with the request, if one does */
  proof(method: string, url: string, token?: string): string {
    const { origin, pathname } = new URL(url)
    const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }
    const iat = Math.floor(Date.now() / 1000) + this.#ahead
    const signed = `${this.#head}.${part({ htm: method, htu: origin + pathname, iat, jti: randomUUID(), ...ath })}`
    return `${signed}.${sign(null, Buffer.from(signed), this.#privateKey).toString('base64url')}`
  }

  /** @param serverTime Unix seconds, from a refusal */
  correct(serverTime: number): void {
    this.#ahead = serverTime - Math.floor(Date.now() / 1000)
  }
}
