import { createHash, verify } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { CarelessTrust } from './careless-trust.js'
import { HostileProvider, type Answer } from './hostile-provider.js'
import { seconds } from './directory.js'

/** What it does not look at, by the name of the check that notices it. */
export type Omission = `refuses-${string}` | 'follows-rotation' | 'drops-withdrawn-key'

interface Input {
  readonly covered: readonly string[]
  readonly parameters: ReadonlyMap<string, string>
  readonly written: string
}

const NEEDED = ['"@method"', '"@authority"', '"@path"', '"@query"', '"from"', '"mimi-target"', '"content-digest"', '"content-type"']

/** A provider that checks requests by the page, in the page's order, but for one thing. With nothing of the server's. */
export class CarelessProvider {
  readonly peer: HostileProvider
  omits: Omission | undefined
  private readonly nonces = new Set<string>()
  private trust: CarelessTrust

  constructor(
    readonly domain: string,
    private readonly asker: { domain: string; url: string },
  ) {
    this.peer = new HostileProvider(domain)
    this.trust = new CarelessTrust(asker.url, () => this.omits)
    this.peer.checking = async (request, body) => refusal(await this.problem(request, body))
    this.peer.answering = () => ({ status: 200, body: Buffer.of(0) })
  }

  begin(omits: Omission | undefined): void {
    this.omits = omits
    this.nonces.clear()
    this.trust = new CarelessTrust(this.asker.url, () => this.omits)
  }

  private async problem(request: IncomingMessage, body: Buffer): Promise<string | undefined> {
    const input = readInput(request)
    if (typeof input === 'string')
      return this.omits === `refuses-${input}` ? undefined : input === 'malformed-signature' ? 'signature-malformed' : 'signature-missing'
    const broken = this.rules(request, body, input).filter(([, , isBroken]) => isBroken)
    // What it does not look at, it takes: a signature of that form does not verify by the page.
    if (broken.some(([name]) => this.omits === `refuses-${name}`)) return undefined
    const [first] = broken
    if (first) return first[1]
    return (await this.signatureProblem(request, input)) ?? this.late(request, body, input)
  }

  private rules(
    request: IncomingMessage,
    body: Buffer,
    { covered, parameters }: Input,
  ): readonly [name: string, problem: string, isBroken: boolean][] {
    const { headers } = request
    const has = (name: string) => parameters.get(name) ?? ''
    const [created, expires, now] = [Number(has('created')), Number(has('expires')), seconds()]
    const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
    const isStrong = String(headers['content-digest']).startsWith('sha-')
    const isKnown = (one: string) => NEEDED.includes(one) || headers[one.replaceAll('"', '')] !== undefined
    return [
      ['other-tag', 'signature-missing', has('tag') !== 'mimi-request'],
      ['seventeen-components', 'signature-malformed', covered.length > 16],
      ['component-twice', 'signature-malformed', new Set(covered).size < covered.length],
      ['query-param', 'signature-malformed', covered.some((one) => one.startsWith('"@query-param"'))],
      ['component-parameter', 'signature-malformed', covered.some((one) => one.endsWith(';bs'))],
      ['absent-component', 'signature-malformed', covered.some((one) => !one.includes(';') && !isKnown(one))],
      ...NEEDED.map((one): [string, string, boolean] => [
        `uncovered-${one.replaceAll(/["@]/g, '')}`,
        'component-not-covered',
        !covered.includes(one),
      ]),
      ['other-algorithm', 'algorithm-unsupported', has('alg') !== 'ed25519'],
      ['malformed-key-id', 'key-id-malformed', !/^[^/]+\/[\w-]+$/.test(has('keyid'))],
      ['other-sender', 'from-mismatch', has('keyid').includes('/') && headers['from'] !== `mimi@${has('keyid').split('/')[0]}`],
      ['no-expiry', 'signature-malformed', !parameters.has('expires')],
      ['long-life', 'signature-too-long-lived', expires - created > 300],
      ['short-nonce', 'nonce-malformed', has('nonce').length < 16],
      ['wrong-target', 'target-mismatch', headers['mimi-target'] !== this.domain],
      ['stale', 'signature-stale', parameters.has('expires') && expires < now - 30],
      ['future', 'signature-stale', created > now + 30],
      ['weak-digest', 'content-digest-missing', !isStrong],
      [body.length === 0 ? 'removed-body' : 'other-body', 'content-digest-mismatch', isStrong && headers['content-digest'] !== digest],
    ]
  }

  /** Verified with all that was said, or with one component that it does not look at, as a sender may have signed it. */
  private async signatureProblem(request: IncomingMessage, input: Input): Promise<string | undefined> {
    const key = await this.trust.key(input.parameters.get('keyid')?.split('/')[1] ?? '')
    if (!key) return this.omits === 'refuses-unknown-key' ? undefined : 'key-unknown'
    const ignored: Record<string, [string, string]> = {
      'refuses-other-authority': ['"@authority"', 'elsewhere.invalid'],
      'refuses-other-path': ['"@path"', '/mimi/v1/update'],
      'refuses-other-method': ['"@method"', 'GET'],
      'refuses-other-query': ['"@query"', '?domain=elsewhere'],
    }
    const signature = Buffer.from(/^\w+=:(.*):$/.exec(String(request.headers['signature']))?.[1] ?? '', 'base64')
    const accepts = (instead?: [string, string]) => verify(null, Buffer.from(baseOf(request, input, instead), 'latin1'), key, signature)
    if (accepts() || this.omits === 'refuses-bad-signature') return undefined
    const instead = ignored[this.omits ?? '']
    return instead && accepts(instead) ? undefined : 'signature-invalid'
  }

  /** After the signature: what is signed, and wrong all the same. */
  private late(request: IncomingMessage, body: Buffer, { parameters }: Input): string | undefined {
    const nonce = parameters.get('nonce') ?? ''
    if (this.nonces.has(nonce) && this.omits !== 'refuses-replay') return 'nonce-replayed'
    this.nonces.add(nonce)
    const [, endpoint = '', argument = ''] = /^\/mimi\/v1\/(\w+)\?\w+=(.*)$/.exec(request.url ?? '') ?? []
    if (decodeURIComponent(argument) !== this.domain) return this.omits === 'refuses-other-domain' ? undefined : 'not-found'
    if (endpoint === 'requestConsent')
      return this.omits === 'refuses-foreign-user' || !body.includes('elsewhere') ? undefined : 'foreign-domain'
    return body.length === 2 || this.omits === 'refuses-undecodable-body' ? undefined : 'undecodable'
  }
}

const STATUS: Readonly<Record<string, number>> = { 'foreign-domain': 403, 'not-found': 404, undecodable: 422 }

function refusal(problem: string | undefined): Answer | undefined {
  if (problem === undefined) return undefined
  return {
    status: STATUS[problem] ?? 401,
    type: 'application/problem+json',
    body: Buffer.from(JSON.stringify({ type: `urn:microchat:problem:${problem}` })),
  }
}

/** Of the label `mimi`; otherwise what is wrong with it. */
function readInput({ headers }: IncomingMessage): Input | 'no-signature' | 'other-label' | 'malformed-signature' {
  const field = headers['signature-input']
  if (typeof field !== 'string' || headers['signature'] === undefined) return 'no-signature'
  if (!field.startsWith('mimi=')) return 'other-label'
  const [, list, rest] = /^mimi=\(([^()]*)\)((?:;\w+=(?:"[^"]*"|\d+))*)$/.exec(field) ?? []
  if (list === undefined || rest === undefined) return 'malformed-signature'
  const parameters = new Map(
    [...rest.matchAll(/;(\w+)=(?:"([^"]*)"|(\d+))/g)].map(([, name = '', text, number = '']) => [name, text ?? number]),
  )
  return { covered: list.split(' '), parameters, written: field.slice('mimi='.length) }
}

function baseOf(request: IncomingMessage, { covered, written }: Input, instead?: [string, string]): string {
  const url = new URL(request.url ?? '', `http://${request.headers.host}`)
  const derived: Record<string, string> = {
    '"@method"': 'POST',
    '"@authority"': url.host,
    '"@path"': url.pathname,
    '"@query"': url.search || '?',
  }
  const value = (one: string) => (instead?.[0] === one ? instead[1] : (derived[one] ?? String(request.headers[one.replaceAll('"', '')])))
  return [...covered.map((one) => `${one}: ${value(one)}`), `"@signature-params": ${written}`].join('\n')
}
