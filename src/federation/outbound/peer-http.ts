import { readFileSync } from 'node:fs'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { TLSSocket } from 'node:tls'
import { Agent, buildConnector, request } from 'undici'
import { CONFIG, type Config } from '../../platform/config/config.js'
import {
  checkedLookup,
  isAllowedAddress,
  literalAddress,
  parseRanges,
  systemResolver,
  type AddressRange,
  type Resolver,
} from './address-policy.js'
import { isHangUp, outcomeOf, RequestRefused, type Outcome } from './outcome.js'

/** Milliseconds and bytes. */
export interface OutboundSettings {
  readonly connectMs: number
  readonly totalMs: number
  readonly headerBytes: number
  readonly bodyBytes: number
  /** Hosts (with port) that may be asked without TLS: tests, and private networks that encrypt elsewhere. */
  readonly plainHosts: ReadonlySet<string>
  /** Addresses that may be asked though they are not global. */
  readonly allowedRanges: readonly AddressRange[]
  readonly tls: { readonly cert?: string; readonly key?: string; readonly ca?: string | readonly string[] }
  /** Judges the other side's certificate instead of the TLS library. */
  readonly judge?: CertificateJudge
}

export interface CertificateJudge {
  /** The name that is asked for (SNI), whatever host the URL has. */
  readonly serverName: string
  /** What is wrong with the certificate of a connection that was just made; undefined: nothing. */
  fault(socket: TLSSocket): string | undefined
}

export const OUTBOUND_LIMITS = { connectMs: 3_000, totalMs: 10_000, headerBytes: 16 * 1024, bodyBytes: 8 * 1024 ** 2 } as const

export interface PeerRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly signal?: AbortSignal
}

const CONNECTIONS_PER_PEER = 4
const IDLE_MS = 15_000
const MAX_HOSTS = 10_000

/** Thrown within the client only. */
class HungUp extends Error {}

/**
 * HTTP to hosts that somebody else names. No redirect is followed, no address but a global one is asked, and neither time nor
 * memory is the other side's to spend. What the network does is a value, never a throw.
 */
export class PeerHttp {
  private readonly agent: Agent
  /** When a host has last answered: connections to it may be kept since then. */
  private readonly answeredAt = new LRUCache<string, number>({ max: MAX_HOSTS })

  constructor(
    private readonly settings: OutboundSettings,
    resolve: Resolver = systemResolver,
  ) {
    this.agent = new Agent({
      connections: CONNECTIONS_PER_PEER,
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      headersTimeout: settings.totalMs,
      bodyTimeout: settings.totalMs,
      maxHeaderSize: settings.headerBytes,
      connect: connectorOf(settings, resolve),
    })
  }

  async send(asked: PeerRequest): Promise<Outcome> {
    const limit = AbortSignal.timeout(this.settings.totalMs)
    const signal = asked.signal ? AbortSignal.any([asked.signal, limit]) : limit
    try {
      this.refuseUrl(asked.url)
      return await this.exchange(asked, signal)
    } catch (error) {
      return { ...outcomeOf(error), ...(error instanceof HungUp && { hungUp: true }) }
    }
  }

  close(): Promise<void> {
    return this.agent.destroy()
  }

  private refuseUrl(text: string): void {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (!url || url.username !== '' || url.password !== '') throw new RequestRefused('refused-url', 'The URL is not one, or names a user.')
    const plain = url.protocol === 'http:' && this.settings.plainHosts.has(url.host)
    if (url.protocol !== 'https:' && !plain) throw new RequestRefused('refused-url', 'Only https:// is asked.')
    // Node connects to a literal without a lookup.
    const literal = literalAddress(url.hostname)
    if (literal !== undefined && !isAllowedAddress(literal, this.settings.allowedRanges))
      throw new RequestRefused('refused-address', 'The URL names an address that may not be asked.')
  }

  private async exchange({ method, url, headers, body }: PeerRequest, signal: AbortSignal): Promise<Outcome> {
    const { host } = new URL(url)
    const response = await request(url, {
      dispatcher: this.agent,
      method,
      headers: { ...headers, 'accept-encoding': 'identity' },
      body: body ?? null,
      signal,
    }).catch((error: unknown) => {
      throw this.isKept(host) && isHangUp(error) ? new HungUp('The connection ended.', { cause: error }) : error
    })
    this.answeredAt.set(host, performance.now())
    try {
      const { statusCode: status, headers: fields } = response
      if (status >= 300 && status < 400) throw new RequestRefused('redirected', `A redirect (${status}) is not followed.`)
      if ((fields['content-encoding'] ?? 'identity') !== 'identity') throw new RequestRefused('encoded', 'The body is compressed.')
      if (Number(fields['content-length'] ?? 0) > this.settings.bodyBytes) throw new RequestRefused('too-large', 'The body is too large.')
      return { kind: 'answered', status, headers: fields, body: await this.read(response.body) }
    } catch (error) {
      response.body.on('error', () => undefined).destroy()
      throw error
    }
  }

  private isKept(host: string): boolean {
    const last = this.answeredAt.get(host)
    return last !== undefined && performance.now() - last < IDLE_MS
  }

  private async read(body: AsyncIterable<Buffer>): Promise<Uint8Array> {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of body) {
      length += chunk.length
      if (length > this.settings.bodyBytes) throw new RequestRefused('too-large', 'The body is too large.')
      chunks.push(chunk)
    }
    return new Uint8Array(Buffer.concat(chunks))
  }
}

function connectorOf({ connectMs, allowedRanges, tls, judge }: OutboundSettings, resolve: Resolver): buildConnector.connector {
  const { ca, ...own } = tls
  const options = {
    timeout: connectMs,
    lookup: checkedLookup(resolve, allowedRanges),
    ...own,
    ...(ca !== undefined && { ca: [ca].flat() }),
  }
  if (!judge) return buildConnector(options)
  // A resumed session shows no certificate.
  const connect = buildConnector({ ...options, servername: judge.serverName, rejectUnauthorized: false, maxCachedSessions: 0 })
  return (asked, done) =>
    connect(asked, (error, socket) => {
      if (error !== null) return done(error, null)
      const fault = 'getPeerX509Certificate' in socket ? judge.fault(socket) : 'The connection is without TLS.'
      if (fault === undefined) return done(null, socket)
      socket.destroy()
      done(new RequestRefused('tls-failed', fault), null)
    })
}

/**
 * Clients for requests to peers, as the settings have it. A peer whose URL or ranges they name has one of its own: what it may be asked at,
 * no other peer's directory leads to, not even by a connection that is open already.
 */
@Injectable()
export class PeerConnections implements OnApplicationShutdown {
  private readonly strangers: PeerHttp
  private readonly named = new Map<string, PeerHttp>()

  constructor(@Inject(CONFIG) config: Config) {
    const { FEDERATION_PEER_URLS: urls = new Map<string, string>(), FEDERATION_ALLOWED_RANGES: ranges = [] } = config
    const tls = {
      ...pem('cert', config.FEDERATION_TLS_CERT),
      ...pem('key', config.FEDERATION_TLS_KEY),
      ...pem('ca', config.FEDERATION_TLS_CA),
    }
    const client = (peer?: string) => {
      const url = peer === undefined ? undefined : urls.get(peer)
      const mine = ranges.filter(({ peer: only }) => only === undefined || only === peer)
      return new PeerHttp({
        ...OUTBOUND_LIMITS,
        plainHosts: new Set(url?.startsWith('http:') ? [new URL(url).host] : []),
        allowedRanges: parseRanges(mine.map(({ range }) => range)),
        tls,
      })
    }
    this.strangers = client()
    for (const peer of [...urls.keys(), ...ranges.flatMap(({ peer: only }) => only ?? [])])
      if (!this.named.has(peer)) this.named.set(peer, client(peer))
  }

  /** @param peer the domain of a provider, for everything that is asked of it */
  of(peer: string): PeerHttp {
    return this.named.get(peer) ?? this.strangers
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.strangers, ...this.named.values()].map((http) => http.close()))
  }
}

function pem(name: 'cert' | 'key' | 'ca', file: string | undefined): Record<string, string> {
  return file === undefined ? {} : { [name]: readFileSync(file, 'utf8') }
}
