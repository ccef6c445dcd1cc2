import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from '../config/config.js'
import { answerClientError } from './client-errors.js'
import { requestId } from './request-id.js'
import { sendProblem } from './send-problem.js'

/** A client that sends slowly holds a socket and nothing else, and not for longer than this. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_TIMEOUT_MS = 65_000
/** A group id of 255 bytes in base64url, or a percent-encoded user URI. */
const MAX_PARAM_LENGTH = 1_024

export function createAdapter(config: Pick<Config, 'MAX_BODY_BYTES' | 'TRUST_PROXY'>, log: Logger): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: config.MAX_BODY_BYTES,
    trustProxy: config.TRUST_PROXY === 'on',
    genReqId: requestId,
    requestIdHeader: false,
    logger: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: 2_000, maxHeaderSize: 16_384 },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => sendProblem(error, request, reply, log),
  })
}
