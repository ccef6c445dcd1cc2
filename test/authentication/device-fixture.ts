import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { fromBase64url, toBase64url } from '../../src/platform/http/bytes.js'
import type { ChallengePurpose } from '../../src/authentication/challenges/challenge-purpose.js'
import { deviceLoginContent, type DeviceLogin, type ProofPurpose } from '../../src/protocol/device-login.js'
import type { StepUpPurpose } from '../../src/protocol/identity/step-up.js'
import { signaturePublicKey, signWithLabel } from '../../src/protocol/mls/signature.js'
import { stepUpField, stepUpNeed } from './step-up-fixture.js'

export const ED25519 = 0x0807
export const SCHEMES = { 'ECDSA P-256': 0x0403, 'ECDSA P-384': 0x0503, 'ECDSA P-521': 0x0603, Ed25519: ED25519, Ed448: 0x0808 } as const

/** A limit that only its own test should meet. */
export const UNLIMITED = { LOGINS_PER_MINUTE: '100000' }

export interface DeviceKey {
  scheme: number
  privateKey: KeyObject
  publicKey: Uint8Array
}

const CURVES: Record<number, string> = { 0x0403: 'P-256', 0x0503: 'P-384', 0x0603: 'P-521' }

const MLDSA: Record<number, 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'> = { 0x0904: 'ml-dsa-44', 0x0905: 'ml-dsa-65', 0x0906: 'ml-dsa-87' }

/** Overloads take one name each. */
function makeMldsa(name: 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87') {
  if (name === 'ml-dsa-44') return generateKeyPairSync(name)
  return name === 'ml-dsa-65' ? generateKeyPairSync(name) : generateKeyPairSync(name)
}

export function newKey(scheme: number = ED25519): DeviceKey {
  const namedCurve = CURVES[scheme]
  const mldsa = MLDSA[scheme]
  const { privateKey } = namedCurve
    ? generateKeyPairSync('ec', { namedCurve })
    : mldsa
      ? makeMldsa(mldsa)
      : scheme === ED25519
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ed448')
  return { scheme, privateKey, publicKey: signaturePublicKey(privateKey) }
}

export interface KeyBody {
  id: number
  scheme: number
  public_key: string
  valid_from: number
  valid_until?: number
  successor?: string
}

export interface DeviceBody {
  client: string
  since: number
  current: boolean
  revoked_at?: number
  signature_keys: [KeyBody, ...KeyBody[]]
}

/** Whatever any answer has; each has some of it. */
export interface Body extends KeyBody, Challenge {
  type?: string
  client: string
  user: string
  access_token: string
  refresh_token: string
  identity: string
  devices: [DeviceBody, DeviceBody, ...DeviceBody[]]
  keys: [{ kid: string; x: string }]
}

export interface Answer {
  status: number
  /** Parsed JSON; {} without a body. */
  body: Body
  headers: Headers
}

export interface Challenge {
  nonce: string
  expires_at: number
  domain: string
  label: string
}

export const newName = () => `u${randomBytes(8).toString('hex')}`
export const userOf = (name: string) => `mimi://localhost/u/${name}`
export const clientOf = (name: string, device = 'phone') => `mimi://localhost/d/${name}/${device}`
/** Its problem's type, or that there is none. */
export const typeOf = ({ status, body }: Answer) => body.type?.replace('urn:microchat:problem:', '') ?? `no problem but ${status}`
/** What an outsider can compare: everything but the request's own id. */
export const visible = ({ status, body, headers }: Answer) => ({
  status,
  challenge: headers.get('www-authenticate'),
  ...body,
  instance: undefined,
})

/** Plain HTTP, answers as they come. */
export class Http {
  constructor(readonly url: string) {}

  async call(
    method: string,
    path: string,
    { body, token, headers }: { body?: unknown; token?: string | undefined; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers }
  }

  /** @param purpose undefined: none is named, as clients of the release before do */
  async challenge(client: string, purpose?: ChallengePurpose): Promise<Challenge> {
    return (await this.call('POST', '/v1/auth/challenges', { body: { client, ...(purpose === undefined ? {} : { purpose }) } })).body
  }

  refresh(refreshToken: string): Promise<Answer> {
    return this.call('POST', '/v1/auth/sessions/refresh', { body: { refresh_token: refreshToken } })
  }
}

/** The proof that this key signs under the label of the challenge, or one that is off by `change` or `label`. */
export async function prove(
  key: DeviceKey,
  client: string,
  challenge: Challenge,
  change: Partial<DeviceLogin> = {},
  label: string = challenge.label,
): Promise<string> {
  const nonce = fromBase64url(challenge.nonce) ?? new Uint8Array()
  const login = { domain: challenge.domain, client, nonce, expiresAt: BigInt(challenge.expires_at), ...change }
  return toBase64url(await signWithLabel(key.privateKey, label, deviceLoginContent(login)))
}

export async function provenKey(
  key: DeviceKey,
  client: string,
  challenge: Challenge,
): Promise<{ scheme: number; public_key: string; proof: string }> {
  return { scheme: key.scheme, public_key: toBase64url(key.publicKey), proof: await prove(key, client, challenge) }
}

/** One device, with its keys and its session. */
export class TestDevice {
  accessToken: string | undefined
  refreshToken = ''

  constructor(
    readonly http: Http,
    readonly name: string,
    readonly device = 'phone',
    readonly keys: DeviceKey[] = [newKey()],
  ) {}

  static async registered(url: string, name = newName(), key = newKey()): Promise<TestDevice> {
    const device = new TestDevice(new Http(url), name, 'phone', [key])
    const answer = await device.register()
    if (answer.status !== 201) throw new Error(`Registering gave ${answer.status} ${JSON.stringify(answer.body)}`)
    return device
  }

  get client(): string {
    return clientOf(this.name, this.device)
  }
  get user(): string {
    return userOf(this.name)
  }
  get key(): DeviceKey {
    return this.keys[0]!
  }

  async proofs(purpose: ProofPurpose = 'new-device') {
    const challenge = await this.http.challenge(this.client, purpose)
    const signature_keys = await Promise.all(this.keys.map((key) => provenKey(key, this.client, challenge)))
    return { client: this.client, nonce: challenge.nonce, signature_keys }
  }

  async register(more: object = {}): Promise<Answer> {
    return this.keep(
      await this.http.call('POST', '/v1/accounts', { body: { user: this.user, ...(await this.proofs('registration')), ...more } }),
    )
  }

  async login(key = this.key): Promise<Answer> {
    const challenge = await this.http.challenge(this.client, 'login')
    const { scheme: _, ...proven } = await provenKey(key, this.client, challenge)
    return this.keep(
      await this.http.call('POST', '/v1/auth/sessions', { body: { client: this.client, nonce: challenge.nonce, ...proven } }),
    )
  }

  /** Another device of this account, added by this one and logged in. */
  async addDevice(device: string): Promise<TestDevice> {
    const other = new TestDevice(this.http, this.name, device)
    const added = await this.call('POST', '/v1/devices', await other.proofs())
    if (added.status !== 201) throw new Error(`Adding gave ${added.status} ${JSON.stringify(added.body)}`)
    await other.login()
    return other
  }

  /** With a step-up proof where the operation needs one; `http.call` sends none. */
  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const need = await stepUpNeed(this, `${method} ${path}`, body)
    const headers = need === undefined ? {} : await this.stepUp(need.purpose, need.subject)
    return this.http.call(method, path, { body, token: this.accessToken, headers })
  }

  /** The field `Step-Up`, fresh. @param subject text in UTF-8 */
  async stepUp(purpose: StepUpPurpose, subject: string | Uint8Array, key = this.key): Promise<{ 'step-up': string }> {
    const challenge = await this.http.challenge(this.client, purpose)
    return { 'step-up': await stepUpField(key, this.client, challenge, Buffer.from(subject)) }
  }

  /** Whether the server still takes the access token, on some node; else the type of the problem. */
  async standing(url = this.http.url): Promise<string> {
    const answer = await new Http(url).call('GET', '/v1/devices', { token: this.accessToken })
    return answer.status === 200 ? 'accepted' : typeOf(answer)
  }

  private keep(answer: Answer): Answer {
    if (answer.status >= 300) return answer
    this.accessToken = answer.body.access_token
    this.refreshToken = answer.body.refresh_token
    return answer
  }
}
