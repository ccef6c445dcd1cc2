import { createHash, randomBytes, sign, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { documentOf, inQuery, newKey, seconds, signedDirectory, type HostileKey, type Template } from './directory.js'

// A provider written from docs/federation-profile.md alone, with nothing of the server's: it signs well, and means ill.

const KEY_ID = 'h1'
const base64url = (content: string | Uint8Array) => Buffer.from(content).toString('base64url')

/** Whom it asks: where that listens, and what its directory says. */
export interface Victim {
  readonly domain: string
  /** Where requests go. */
  readonly url: string
  /** The address in its directory's templates, which signatures cover. */
  readonly proxy: { readonly url: string }
}

export interface Told {
  readonly status: number
  /** Of the problem, without its prefix. */
  readonly problem: string | undefined
  readonly retryAfter: string | null
  readonly headers: Headers
  readonly body: Buffer
}

/** What is wrong with a request; otherwise nothing is. */
export interface Wrong {
  readonly nonce?: string
  readonly domain?: string
  readonly keyId?: string
  readonly created?: number
  readonly privateKey?: KeyObject
  /** Changes the fields once they are signed. */
  readonly fields?: (signed: Record<string, string>) => Record<string, string>
  /** Sent instead of what was signed. */
  readonly sent?: Uint8Array
}

export interface Answer {
  readonly status: number
  readonly body?: Uint8Array
  /** Beside those that are signed. */
  readonly headers?: Record<string, string>
  /** Whom it says that it is for; otherwise the one who asks. */
  readonly target?: string
  /** By how many seconds its clock is ahead. */
  readonly ahead?: number
  /** Of the body; application/mimi by default. */
  readonly type?: string
  /** Sent instead of what was signed. */
  readonly sent?: Uint8Array
}

/** Answers a request to one of its endpoints; undefined leaves it unanswered. */
export type Answering = (endpoint: string, body: Buffer, url: string) => Answer | 'hang up' | undefined

/** A provider at a port of its own, with a signed directory. */
export class HostileProvider {
  /** Requests that came, by endpoint. */
  readonly seen: string[] = []
  answering: Answering = () => ({ status: 500 })
  /** Refuses a request before that, by an answer; it trusts everybody as it is. */
  checking: (request: IncomingMessage, body: Buffer) => Promise<Answer | undefined> = () => Promise.resolve(undefined)
  /** Of its directory; `url` is its own. */
  template: Template = inQuery
  url = ''
  readonly key: HostileKey = newKey(KEY_ID)
  /** What stands at its domain: a directory of this time, unless it says something else; undefined: it never comes. */
  showing: () => string | undefined = () => {
    const { domain, url, template } = this
    return documentOf(signedDirectory({ domain, url, keys: [this.key], template }), url, template)
  }
  /** Resolved when a directory was asked for that does not come. */
  readonly held = Promise.withResolvers<undefined>()
  private readonly server = createServer((request, response) => void this.handle(request, response))

  constructor(readonly domain: string) {}

  async listen(): Promise<this> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
    return this
  }

  async close(): Promise<void> {
    this.server.close()
    this.server.closeAllConnections()
    await once(this.server, 'close')
  }

  /** One signed request. */
  async ask(victim: Victim, endpoint: string, argument: string, body: Uint8Array, wrong: Wrong = {}): Promise<Told> {
    const path = `/mimi/v1/${endpoint}/${encodeURIComponent(argument)}`
    const headers = this.signed(victim, path, body, wrong)
    const sent = wrong.sent ?? body
    const response = await fetch(victim.url + path, { method: 'POST', headers, ...(sent.length > 0 && { body: new Uint8Array(sent) }) })
    const answer = Buffer.from(await response.arrayBuffer())
    const problem = /urn:microchat:problem:([a-z-]+)/.exec(answer.toString('latin1'))?.[1]
    return { status: response.status, problem, retryAfter: response.headers.get('retry-after'), headers: response.headers, body: answer }
  }

  /** What others keep of it: raw Ed25519 over bytes, by its key. */
  sign(bytes: Uint8Array): { keyId: string; signature: Buffer } {
    return { keyId: KEY_ID, signature: sign(null, bytes, this.key.privateKey) }
  }

  /** The fields of a request, signed. */
  signed(victim: Victim, path: string, body: Uint8Array, wrong: Wrong = {}): Record<string, string> {
    const domain = wrong.domain ?? this.domain
    const url = new URL(victim.proxy.url + path)
    const covered: Record<string, string> = {
      '@method': 'POST',
      '@authority': url.host,
      '@path': url.pathname,
      '@query': url.search || '?',
      from: `mimi@${domain}`,
      'mimi-target': victim.domain,
      'content-digest': `sha-256=:${createHash('sha256').update(body).digest('base64')}:`,
      'content-type': 'application/mimi',
    }
    const created = wrong.created ?? seconds()
    const nonce = wrong.nonce ?? base64url(randomBytes(16))
    const names = Object.keys(covered).map((name) => `"${name}"`)
    const parameters = `(${names.join(' ')});created=${created};expires=${created + 60};nonce="${nonce}";keyid="${domain}/${wrong.keyId ?? KEY_ID}";alg="ed25519";tag="mimi-request"`
    const fields = Object.fromEntries(Object.entries(covered).filter(([name]) => !name.startsWith('@')))
    const made = { ...fields, ...this.signatureOf(covered, parameters, wrong.privateKey) }
    return wrong.fields?.(made) ?? made
  }

  private signatureOf(covered: Record<string, string>, parameters: string, key = this.key.privateKey): Record<string, string> {
    const lines = Object.entries(covered).map(([name, value]) => `"${name.replace(';', '";')}${name.includes(';') ? '' : '"'}: ${value}`)
    const base = [...lines, `"@signature-params": ${parameters}`].join('\n')
    return {
      'signature-input': `mimi=${parameters}`,
      signature: `mimi=:${sign(null, Buffer.from(base, 'latin1'), key).toString('base64')}:`,
    }
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const endpoint = /^\/(?:mimi\/v1\/)?([\w.-]+)/.exec(request.url ?? '')?.[1] ?? ''
    this.seen.push(endpoint)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (endpoint === '.well-known') {
      const shown = this.showing()
      return shown === undefined ? this.held.resolve(undefined) : void response.end(shown)
    }
    const answer =
      (await this.checking(request, Buffer.concat(chunks))) ?? this.answering(endpoint, Buffer.concat(chunks), request.url ?? '')
    if (answer === undefined) return
    if (answer === 'hang up') return void request.socket.destroy()
    const body = Buffer.from(answer.body ?? [])
    response.writeHead(answer.status, { ...this.answerFields(request, answer, body), ...answer.headers }).end(answer.sent ?? body)
  }

  /** What an answer has to cover, by the page. */
  private answerFields(
    request: IncomingMessage,
    { status, target, ahead = 0, type = 'application/mimi' }: Answer,
    body: Uint8Array,
  ): Record<string, string> {
    const { headers } = request
    const url = new URL(request.url ?? '', `http://${headers.host}`)
    const content = {
      'content-digest': `sha-256=:${createHash('sha256').update(body).digest('base64')}:`,
      'content-type': type,
    }
    const covered: Record<string, string> = {
      '@status': String(status),
      from: `mimi@${this.domain}`,
      'mimi-target': target ?? (headers['from'] ?? '').replace('mimi@', ''),
      ...content,
      '@method;req': 'POST',
      '@authority;req': url.host,
      '@path;req': url.pathname,
      '@query;req': url.search || '?',
      'content-digest;req': String(headers['content-digest']),
      'signature;req;key="mimi"': String(headers['signature']).replace('mimi=', ''),
    }
    const created = seconds() + ahead
    const names = Object.keys(covered).map((name) => (name.includes(';') ? `"${name.replace(';', '";')}` : `"${name}"`))
    const parameters = `(${names.join(' ')});created=${created};expires=${created + 60};nonce="${base64url(randomBytes(16))}";keyid="${this.domain}/${KEY_ID}";alg="ed25519";tag="mimi-response"`
    const { from = '', 'mimi-target': named = '' } = covered
    return { from, 'mimi-target': named, ...content, ...this.signatureOf(covered, parameters) }
  }
}
