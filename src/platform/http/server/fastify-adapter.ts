import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RequestListener, ServerOptions } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionGuard } from '../../admission/connection-guard.js'
import type { Proxies } from '../../admission/proxies.js'
import type { Config } from '../../config/config.js'
import { requestId } from '../problem-document.js'

/** A client that sends slowly holds a socket and nothing else, and not for longer than this. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_TIMEOUT_MS = 65_000
/** Without a byte in either direction: longer than the longest poll (60 s), and the end of clients that stop reading. */
const SILENCE_TIMEOUT_MS = 75_000
/** A group id of 255 bytes in base64url, or a percent-encoded user URI. */
const MAX_PARAM_LENGTH = 1_024

const SERVER_OPTIONS: ServerOptions = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16_384,
  // RFC 9110 §7.8: an Upgrade to what this server does not speak is ignored. `/v1/stream` answers for itself.
  shouldUpgradeCallback: (request) => isStreamPath(request.url ?? '') && /\bwebsocket\b/i.test(request.headers.upgrade ?? ''),
}

/** The one route that is a WebSocket. The target of a request need not be a URL that can be parsed. */
export function isStreamPath(target: string): boolean {
  return target === '/v1/stream' || target.startsWith('/v1/stream?')
}

/** Answers what the router refuses, which meets no hook. */
export type RouterRefusal = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void

/**
 * Fastify for Nest, with bounds on how long a client may take and on what it may send.
 * @param guard makes the HTTP server, and so sees every connection
 * @param answers for requests that meet no hook: `refuse` from the router, `clientError` from the parser of Node
 */
export function createAdapter(
  config: Pick<Config, 'MAX_BODY_BYTES'>,
  proxies: Proxies,
  guard: ConnectionGuard,
  answers: { refuse: RouterRefusal; clientError: (error: Error & { code?: string }, socket: Socket) => void },
): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: config.MAX_BODY_BYTES,
    trustProxy: proxies.none ? false : (address, hop) => proxies.trusts(address, hop),
    genReqId: requestId,
    requestIdHeader: false,
    logger: false,
    serverFactory: (handle: RequestListener) => {
      const server = guard.createServer(SERVER_OPTIONS, handle)
      server.setTimeout(SILENCE_TIMEOUT_MS)
      return server
    },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    return503OnClosing: false,
    clientErrorHandler: answers.clientError,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => answers.refuse(error, request, reply),
  })
}
