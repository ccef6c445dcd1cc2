import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../../config/config.js'
import { originsIn } from '../../config/urls.js'

/** What a page may send: `*` stands for every field but Authorization; the others are named for browsers that do not know `*`. */
const REQUEST_FIELDS = 'authorization, dpop, content-type, if-none-match, x-request-id, traceparent, tracestate, *'
/** What a page may read, besides the few fields that every page may. `*` does not cover browsers that do not know it. */
const ANSWER_FIELDS = 'retry-after, x-request-id, www-authenticate, etag, allow, date, *'
/** A page on another origin gets 404 and 405 as answers, so a preflight allows every method that any route has. */
const METHODS = 'GET, HEAD, POST, PUT, DELETE'
/** Seconds. Chromium keeps a preflight for two hours at most. */
const PREFLIGHT_SECONDS = 7_200

type Settings = Pick<Config, 'CORS_ORIGINS' | 'PUBLIC_URL'>

/**
 * Which web pages of other origins may use this server (the Fetch standard's CORS protocol). Credentials of a browser (cookies, client
 * certificates) are never allowed: a caller is who the bearer token says, and a page has no token but its own.
 *
 * Not @fastify/cors: it answers a preflight outside of admission, uncounted, and leaves out what Fastify's router refuses.
 */
export class Cors {
  private readonly any: boolean
  private readonly off: boolean
  private readonly origins: ReadonlySet<string>
  private readonly own: string | undefined

  constructor({ CORS_ORIGINS, PUBLIC_URL }: Settings) {
    this.any = CORS_ORIGINS === 'any'
    this.off = CORS_ORIGINS === 'off'
    this.origins = new Set(this.any || this.off ? [] : originsIn(CORS_ORIGINS))
    this.own = PUBLIC_URL === undefined ? undefined : new URL(PUBLIC_URL).origin
  }

  /** Sets the fields that every answer has. Those for operators and for peers, which no page has a reason to read, stay closed. */
  setFields(request: FastifyRequest, reply: FastifyReply): void {
    const { operational, mimi } = request.routeOptions.config ?? {}
    const closed = this.off || operational === true || mimi === true
    void reply.header('cross-origin-resource-policy', this.any && !closed ? 'cross-origin' : 'same-origin')
    if (closed) return
    if (!this.any) void reply.header('vary', 'origin')
    const allowed = this.allowedOrigin(request.headers.origin)
    if (allowed === undefined) return
    void reply.headers({ 'access-control-allow-origin': allowed, 'access-control-expose-headers': ANSWER_FIELDS })
  }

  /**
   * The same for an answer to what never became a request. Its origin is not known, so pages can read it only where any origin may. Not for
   * refused streams: a browser shows a page nothing of a handshake that failed.
   */
  fieldsWithoutRequest(): Record<string, string> {
    if (!this.any) return { 'cross-origin-resource-policy': 'same-origin' }
    return {
      'cross-origin-resource-policy': 'cross-origin',
      'access-control-allow-origin': '*',
      'access-control-expose-headers': ANSWER_FIELDS,
    }
  }

  /** A handler's own Vary has replaced ours, where the answer differs by origin. */
  completeVary(reply: FastifyReply): void {
    if (this.any || this.off) return
    const vary = reply.getHeader('vary')
    if (typeof vary === 'string' && !/\borigin\b/i.test(vary)) void reply.header('vary', `${vary}, origin`)
  }

  /** Whether a browser asks if a page may send a request. It never sends a body with that question. */
  isPreflight({ method, headers }: Pick<FastifyRequest, 'method' | 'headers'>): boolean {
    const asked = headers.origin !== undefined && headers['access-control-request-method'] !== undefined
    const empty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0
    return !this.off && method === 'OPTIONS' && asked && empty
  }

  /** Without the fields of `setFields`, which say that this origin may ask, a browser takes these for a refusal. */
  answerPreflight(reply: FastifyReply): FastifyReply {
    return reply
      .code(204)
      .headers({
        'access-control-allow-methods': METHODS,
        'access-control-allow-headers': REQUEST_FIELDS,
        'access-control-max-age': String(PREFLIGHT_SECONDS),
      })
      .send()
  }

  /**
   * Whether a WebSocket may be opened by the one who sent these fields. Browsers do not ask before they open one, so this is the only check.
   * A request without Origin comes from no page; one of this server's own pages is not from another origin.
   */
  mayOpenStream({ origin, host }: IncomingHttpHeaders): boolean {
    if (origin === undefined || origin === this.own || this.allowedOrigin(origin) !== undefined) return true
    return URL.canParse(origin) && new URL(origin).host !== '' && new URL(origin).host === host?.toLowerCase()
  }

  private allowedOrigin(origin: string | undefined): string | undefined {
    if (this.any) return '*'
    return origin !== undefined && this.origins.has(origin) ? origin : undefined
  }
}
