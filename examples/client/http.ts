import { decode, encode } from 'cborg'
import type { Prover } from './possession.js'
import { fromJson, toJson } from './wire.js'

export type Encoding = 'json' | 'cbor'

/** RFC 9457; a kind of problem may add members to these. */
export interface ProblemDocument {
  type?: string
  detail?: string
  [extension: string]: unknown
}

/** A refusal of the server. `kind` is the last part of its problem's `type`, e.g. `stale-epoch`. */
export class ServerProblem extends Error {
  readonly kind: string
  constructor(
    readonly status: number,
    readonly document: ProblemDocument,
  ) {
    super(`${status} ${document.type ?? ''}: ${document.detail ?? ''}`)
    this.kind = document.type?.split(/[:/]/).at(-1) ?? ''
  }
}

/** Nobody answered, however often we asked: whether the server acted is unknown. */
export class NoAnswer extends Error {}

/** Whether the same request may well succeed later. */
export function isTransient(error: unknown): boolean {
  return error instanceof NoAnswer || (error instanceof ServerProblem && (error.status >= 500 || error.status === 429))
}

/** Longer than this is for the one who called to wait: a quota is full for days. */
const MAX_PATIENCE_MS = 60_000

/** Come back later (429, 503), or a proxy that lost the server before the answer (502, 504): as good as a lost connection. */
const AGAIN: readonly number[] = [429, 502, 503, 504]

export interface HttpOptions {
  baseUrl: string
  encoding?: Encoding
  /** How often a request is sent again, byte for byte, when the connection is lost or nobody is there to answer (`AGAIN`). */
  retries?: number
}

interface Body {
  type: string
  bytes: Uint8Array
}

/**
 * Requests in JSON or CBOR. A lost connection leaves open whether the server acted, so the identical body is sent again:
 * the server recognises a resubmission and answers with the original acceptance.
 */
export class Http {
  readonly baseUrl: string
  readonly encoding: Encoding
  readonly #retries: number
  accessToken: string | undefined
  /** Proves with each request that the caller holds the device's key. */
  prover: Prover | undefined
  /** Whether the access token is bound to that key. */
  bound = false
  /** Called on 401; answers whether a retry with a new token makes sense. */
  renew: (() => Promise<boolean>) | undefined

  constructor(options: HttpOptions) {
    this.baseUrl = options.baseUrl.replace(/\/$/, '')
    this.encoding = options.encoding ?? 'cbor'
    this.#retries = options.retries ?? 8
  }

  get<T>(path: string, headers: Record<string, string> = {}): Promise<T> {
    return this.#send<T>('GET', path, undefined, headers)
  }
  post<T>(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<T> {
    return this.#send<T>('POST', path, { type: `application/${this.encoding}`, bytes: this.#encode(body) }, headers)
  }
  put<T>(path: string, body: unknown = {}): Promise<T> {
    return this.#send<T>('PUT', path, { type: `application/${this.encoding}`, bytes: this.#encode(body) })
  }
  delete<T>(path: string, headers: Record<string, string> = {}): Promise<T> {
    return this.#send<T>('DELETE', path, undefined, headers)
  }
  /** Bytes of any type for bytes. */
  postBytes(path: string, type: string, bytes: Uint8Array): Promise<Uint8Array> {
    return this.#send<Uint8Array>('POST', path, { type, bytes })
  }
  /** One MLSMessage as the whole body, nothing around it: the form that counts its bytes. */
  postMessage<T>(path: string, message: Uint8Array, incarnation?: number): Promise<T> {
    return this.#send<T>(
      'POST',
      path,
      { type: 'message/mls', bytes: message },
      incarnation === undefined ? {} : { 'group-incarnation': String(incarnation) },
    )
  }

  async #send<T>(method: string, path: string, body?: Body, headers: Record<string, string> = {}): Promise<T> {
    let [renewed, corrected] = [false, false]
    for (let attempt = 0; ; attempt++) {
      const response = await this.#try(method, path, body, headers)
      if (response?.status === 401 && !corrected && (await this.#correctClock(response))) {
        corrected = true
        continue
      }
      if (response?.ok) return (await this.#decode(response)) as T
      if (response?.status === 401 && !renewed && (await this.renew?.())) {
        renewed = true
        continue
      }
      const again = response === undefined || (AGAIN.includes(response.status) && !(askedFor(response) > MAX_PATIENCE_MS))
      if (!again || attempt >= this.#retries) {
        if (!response) throw new NoAnswer(`${method} ${path}: no answer from ${this.baseUrl}`)
        throw await problemOf(response)
      }
      await pause(retryDelay(attempt, response))
    }
  }

  /** What says who asks, for one request; a request that is sent again takes new ones. */
  credentials(method: string, url: string): Record<string, string> {
    const { accessToken, prover } = this
    const proof: Record<string, string> = prover ? { dpop: prover.proof(method, url, accessToken) } : {}
    return accessToken ? { authorization: `${this.bound ? 'DPoP' : 'Bearer'} ${accessToken}`, ...proof } : proof
  }

  /** @returns whether the refusal says that our clock is wrong */
  async #correctClock(response: Response): Promise<boolean> {
    const { kind, document } = await problemOf(response.clone())
    if (kind !== 'dpop-stale' || !this.prover) return false
    this.prover.correct(Number(document['server_time']))
    return true
  }

  async #try(method: string, path: string, body?: Body, extra: Record<string, string> = {}): Promise<Response | undefined> {
    const headers: Record<string, string> = { accept: `application/${this.encoding}`, ...extra }
    Object.assign(headers, this.credentials(method, this.baseUrl + path))
    if (body) headers['content-type'] = body.type
    const init: RequestInit = body ? { method, headers, body: new Uint8Array(body.bytes) } : { method, headers }
    return fetch(this.baseUrl + path, init).catch(() => undefined)
  }

  #encode(body: unknown): Uint8Array {
    return this.encoding === 'cbor' ? encode(body) : Buffer.from(toJson(body), 'utf8')
  }

  async #decode(response: Response): Promise<unknown> {
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (bytes.length === 0) return undefined
    return readBody(response.headers.get('content-type') ?? '', bytes)
  }
}

function readBody(contentType: string, bytes: Uint8Array): unknown {
  if (contentType.includes('cbor')) return decode(bytes)
  return contentType.includes('application/private-token-') && !contentType.includes('directory')
    ? bytes
    : fromJson(Buffer.from(bytes).toString('utf8'))
}

async function problemOf(response: Response): Promise<ServerProblem> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  try {
    return new ServerProblem(response.status, readBody(response.headers.get('content-type') ?? '', bytes) as ProblemDocument)
  } catch {
    return new ServerProblem(response.status, { detail: Buffer.from(bytes).toString('utf8').slice(0, 200) })
  }
}

/** Milliseconds: what the server asked for, else doubling from 50 ms to 2 s with jitter. */
function retryDelay(attempt: number, response: Response | undefined): number {
  const asked = response ? askedFor(response) : Number.NaN
  if (Number.isFinite(asked)) return asked
  return Math.min(2000, 50 * 2 ** attempt) * (0.5 + Math.random() / 2)
}

/** Milliseconds; NaN if the server said nothing. */
function askedFor(response: Response): number {
  return Number(response.headers.get('retry-after') ?? Number.NaN) * 1000
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
