import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { checkServerIdentity, type TLSSocket } from 'node:tls'
import type { TlsIdentity } from './certificates.js'
import { Malformed } from './codec.js'

// HTTPS between providers (draft-ietf-mimi-protocol-06 §4.1, §5.1): mutual TLS, `From` and `Host`, a directory of endpoints.

/** The endpoints of the directory, with the one variable of each path. */
export const ENDPOINTS = {
  keyMaterial: 'targetUser',
  update: 'roomId',
  notify: 'roomId',
  submitMessage: 'roomId',
  groupInfo: 'roomId',
  requestConsent: 'targetDomain',
  updateConsent: 'requesterDomain',
  identifierQuery: 'domain',
  reportAbuse: 'roomId',
} as const
export type Endpoint = keyof typeof ENDPOINTS

/** Where providers listen, by domain: what DNS would say. */
export type Addresses = Map<string, string>

export interface Asked {
  /** The provider that its certificate and `From` name. */
  readonly from: string
  readonly endpoint: Endpoint
  readonly argument: string
  readonly body: Uint8Array
}
export interface Answer {
  readonly status: number
  readonly body?: Uint8Array
}

const DIRECTORY = '/.well-known/mimi-protocol-directory'
const MEDIA_TYPE = 'application/mimi'

/** The end that answers. */
export class DraftListener {
  url = ''
  /** Which endpoints were asked, by whom, and what was answered. */
  readonly seen: { endpoint: Endpoint; from: string; status: number; body: Uint8Array }[] = []
  private readonly server

  constructor(
    readonly domain: string,
    identity: TlsIdentity,
    ca: readonly string[],
    private readonly answer: (asked: Asked) => Promise<Answer>,
  ) {
    const tls = { ...identity, ca: [...ca], requestCert: true, rejectUnauthorized: true }
    this.server = createServer(tls, (incoming, response) => void this.#handle(incoming, response))
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.url = `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.server.close()
    this.server.closeAllConnections()
    await once(this.server, 'close')
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = []
    for await (const chunk of incoming) chunks.push(chunk as Uint8Array)
    const body = new Uint8Array(Buffer.concat(chunks))
    if (incoming.url === DIRECTORY) return void response.setHeader('content-type', 'application/json').end(this.#directory())
    const { status, body: said } = await this.#answerTo(incoming, body).catch(statusOf)
    if (said) response.setHeader('content-type', MEDIA_TYPE)
    response.writeHead(status).end(said)
  }

  async #answerTo(incoming: IncomingMessage, body: Uint8Array): Promise<Answer> {
    const [, from = ''] = /^mimi@([a-z0-9.-]+(?::\d+)?)$/.exec(incoming.headers.from ?? '') ?? []
    const certificate = (incoming.socket as TLSSocket).getPeerCertificate()
    if (from === '' || checkServerIdentity(from, certificate)) return { status: 403 }
    if ((incoming.headers.host ?? '').replace(/:\d+$/, '') !== this.domain) return { status: 421 }
    const [, name = '', argument = ''] = /^\/v1\/([A-Za-z]+)\/([^/]+)$/.exec(incoming.url ?? '') ?? []
    if (incoming.method !== 'POST' || !(name in ENDPOINTS)) return { status: 404 }
    const endpoint = name as Endpoint
    const answer = await this.answer({ from, endpoint, argument: decodeURIComponent(argument), body }).catch(statusOf)
    this.seen.push({ endpoint, from, status: answer.status, body })
    return answer
  }

  #directory(): string {
    const entries = Object.entries(ENDPOINTS).map(([name, variable]) => [name, `${this.url}/v1/${name}/{${variable}}`])
    return JSON.stringify(Object.fromEntries(entries))
  }
}

/** Ends a request with this status and no body. */
export class Refused extends Error {
  constructor(readonly status: number) {
    super(`Refused with ${status}`)
  }
}

function statusOf(error: unknown): Answer {
  if (error instanceof Refused) return { status: error.status }
  return { status: error instanceof Malformed ? 400 : 500 }
}

/** What is out of the ordinary with a request. */
export interface Wrong {
  readonly from?: string
  readonly host?: string
  /** Shown instead of one's own certificate; undefined: none. */
  readonly identity?: TlsIdentity | undefined
  readonly method?: string
  readonly headers?: Record<string, string>
}

export interface Reply {
  readonly status: number
  readonly body: Uint8Array
  readonly headers: IncomingMessage['headers']
}

/** The end that asks. */
export class DraftCaller {
  private readonly directories = new Map<string, Promise<Record<string, string>>>()
  private readonly agent: Agent

  constructor(
    readonly domain: string,
    private readonly identity: TlsIdentity,
    private readonly ca: readonly string[],
    private readonly addresses: Addresses,
  ) {
    this.agent = new Agent({ keepAlive: true })
  }

  close(): void {
    this.agent.destroy()
  }

  /** One POST to an endpoint of a provider. */
  async post(to: string, endpoint: Endpoint, argument: string, body: Uint8Array, wrong: Wrong = {}): Promise<Reply> {
    const template = (await this.directory(to))[endpoint]
    if (template === undefined) throw new Error(`${to} has no ${endpoint}`)
    return this.send(to, template.replace(/\{\w+\}/, percentEncoded(argument)), body, wrong)
  }

  /** The directory of a provider, fetched once. */
  directory(of: string): Promise<Record<string, string>> {
    const known = this.directories.get(of) ?? this.#fetchDirectory(of)
    this.directories.set(of, known)
    known.catch(() => this.directories.delete(of))
    return known
  }

  async #fetchDirectory(of: string): Promise<Record<string, string>> {
    const address = this.addresses.get(of)
    if (address === undefined) throw new Error(`Nobody knows ${of}`)
    const { status, body } = await this.send(of, address + DIRECTORY, new Uint8Array(), { method: 'GET' })
    if (status !== 200) throw new Error(`The directory of ${of} answers ${status}`)
    return JSON.parse(Buffer.from(body).toString()) as Record<string, string>
  }

  /** A request to a URL of the directory of `to`, whose certificate has to name that domain. */
  async send(to: string, url: string, body: Uint8Array, wrong: Wrong = {}): Promise<Reply> {
    const identity = 'identity' in wrong ? wrong.identity : this.identity
    const headers = { host: wrong.host ?? to, from: `mimi@${wrong.from ?? this.domain}`, ...wrong.headers }
    const asking = request(url, {
      method: wrong.method ?? 'POST',
      agent: identity === this.identity ? this.agent : false,
      servername: to.replace(/:\d+$/, ''),
      ca: [...this.ca],
      ...identity,
      headers: body.length > 0 ? { ...headers, 'content-type': MEDIA_TYPE, 'content-length': body.length } : headers,
    })
    asking.end(body)
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    const chunks: Uint8Array[] = []
    for await (const chunk of response) chunks.push(chunk as Uint8Array)
    return { status: response.statusCode ?? 0, body: new Uint8Array(Buffer.concat(chunks)), headers: response.headers }
  }
}

/** RFC 6570, level 1: all but unreserved characters are percent-encoded. */
function percentEncoded(argument: string): string {
  return encodeURIComponent(argument).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
}
