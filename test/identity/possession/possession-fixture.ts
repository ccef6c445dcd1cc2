import { createHash, createHmac, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import { afterAll, beforeAll } from '@jest/globals'
import { Http, newKey, newName, TestDevice, typeOf, UNLIMITED, type Answer } from '../../authentication/device-fixture.js'
import { startServer, type TestServer } from '../../support/server.js'

/** A server whose sessions are all bound to a key, for the tests of a file. */
export function useBoundServer(overrides: Record<string, string> = {}): { server: TestServer } {
  const fixture: { server?: TestServer } = {}
  beforeAll(async () => {
    fixture.server = await startServer({ ...UNLIMITED, ACCESS_TOKENS: 'bound', ...overrides })
  })
  afterAll(() => fixture.server?.close())
  return fixture as { server: TestServer }
}

export interface Change {
  head?: Record<string, unknown>
  claims?: Record<string, unknown>
  /** Signs instead of the key's own. */
  sign?: (signed: string) => string
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
export const secondsNow = () => Math.floor(Date.now() / 1000)
export const hashOf = (token: string) => createHash('sha256').update(token).digest('base64url')

/** A key that proofs are made with, right ones and others. */
export class Holder {
  readonly privateKey: KeyObject
  readonly jwk: Record<string, unknown>
  readonly algorithm: string

  constructor(type: 'ed25519' | 'P-256' = 'ed25519') {
    const pair = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: type })
    this.privateKey = pair.privateKey
    this.jwk = { ...pair.publicKey.export({ format: 'jwk' }) }
    this.algorithm = type === 'ed25519' ? 'EdDSA' : 'ES256'
  }

  proof(method: string, url: string, token: string | undefined, { head, claims, sign: signWith }: Change = {}): string {
    const header = { typ: 'dpop+jwt', alg: this.algorithm, jwk: this.jwk, ...head }
    const body = { htm: method, htu: url, iat: secondsNow(), jti: randomUUID(), ...(token && { ath: hashOf(token) }), ...claims }
    const signed = `${part(header)}.${part(body)}`
    return `${signed}.${signWith ? signWith(signed) : this.signature(signed)}`
  }

  signature(signed: string): string {
    const key = { key: this.privateKey, dsaEncoding: 'ieee-p1363' as const }
    return sign(this.algorithm === 'ES256' ? 'sha256' : null, Buffer.from(signed), key).toString('base64url')
  }

  /** As one who takes the public key for a secret. */
  hmac(signed: string): string {
    return createHmac('sha256', Buffer.from(String(this.jwk['x']), 'base64url'))
      .update(signed)
      .digest('base64url')
  }
}

/** A device whose session is bound to a key. */
export class BoundDevice {
  refreshToken = ''
  accessToken = ''

  constructor(
    readonly url: string,
    readonly holder = new Holder(),
    private readonly device = new TestDevice(new Http(url), newName(), 'phone', [newKey()]),
  ) {}

  /** The same device with the same session, at another node. */
  at(url: string): BoundDevice {
    const { name, device, keys } = this.device
    const there = new BoundDevice(url, this.holder, new TestDevice(new Http(url), name, device, keys))
    return Object.assign(there, { accessToken: this.accessToken, refreshToken: this.refreshToken })
  }

  static async registered(url: string, holder?: Holder): Promise<BoundDevice> {
    const device = new BoundDevice(url, holder)
    const answer = await device.open('/v1/accounts', { user: device.device.user, ...(await device.device.proofs('registration')) })
    if (answer.status !== 201) throw new Error(`Registering gave ${answer.status} ${JSON.stringify(answer.body)}`)
    return device
  }

  get client(): string {
    return this.device.client
  }
  get name(): string {
    return this.device.name
  }

  /** A request that opens or continues a session. @param proof undefined: a right one; null: none */
  async open(path: string, body: object, proof?: string | null): Promise<Answer> {
    const made = proof === undefined ? this.holder.proof('POST', this.url + path, undefined) : proof
    const answer = await this.device.http.call('POST', path, { body, headers: made === null ? {} : { dpop: made } })
    if (answer.status < 300) [this.accessToken, this.refreshToken] = [answer.body.access_token, answer.body.refresh_token]
    return answer
  }

  async login(proof?: string | null): Promise<Answer> {
    const { nonce, signature_keys } = await this.device.proofs('login')
    const { scheme: _, ...proven } = signature_keys[0]!
    return this.open('/v1/auth/sessions', { client: this.client, nonce, ...proven }, proof)
  }

  refresh(proof?: string | null, refreshToken = this.refreshToken): Promise<Answer> {
    return this.open('/v1/auth/sessions/refresh', { refresh_token: refreshToken }, proof)
  }

  proof(change: Change = {}, { method = 'GET', path = '/v1/devices', url = this.url, token = this.accessToken } = {}): string {
    return this.holder.proof(method, url + path, token, change)
  }

  /** What the server says to a list of the devices: `accepted`, or the type of the problem. */
  async ask(proof: string | undefined = this.proof(), { scheme = 'DPoP', token = this.accessToken, url = this.url } = {}): Promise<string> {
    const headers = { authorization: `${scheme} ${token}`, ...(proof === undefined ? {} : { dpop: proof }) }
    const answer = await new Http(url).call('GET', '/v1/devices', { headers })
    return saidBy(answer)
  }
}

/** `accepted`, or the problem's type, with its reason if it has one. */
export function saidBy(answer: Answer): string {
  if (answer.status < 300) return 'accepted'
  const { reason } = answer.body as { reason?: string }
  return reason === undefined ? typeOf(answer) : `${typeOf(answer)}: ${reason}`
}
