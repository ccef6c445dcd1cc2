import { HttpException } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { isError } from '../observability/is-error.js'
import { failureCodeOf, failureOf } from '../postgres/failures.js'
import { negotiate, encodeCbor, encodeJson } from './encode.js'
import {
  ACCESS_CHALLENGE,
  InvalidRequest,
  MethodNotAllowed,
  NotFound,
  Problem,
  TooLarge,
  Unauthenticated,
  Unavailable,
  UnsupportedMediaType,
} from './problem.js'
import { PROBLEM_MEDIA_TYPE, problemDocument } from './problem-document.js'

/** A failover takes seconds, making room on a disk takes a person. */
const READ_ONLY_SECONDS = 2
const FULL_SECONDS = 10

/** Renders anything thrown, by Nest, Fastify or a handler. What nobody expected is logged here, once, and stays opaque. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  const problem = problemFor(thrown) ?? unexpected(thrown, request, log)
  if (failureOf(thrown) === 'input')
    // Not the error: PostgreSQL's message quotes the value.
    log.warn({ request_id: request.id, route: request.routeOptions.url, code: failureCodeOf(thrown) }, 'only PostgreSQL refused a value')
  if (reply.sent || reply.raw.headersSent) return
  const document = problemDocument(problem, request.id)
  // Set already, unless the router refused the address before any hook ran.
  void reply.header('x-request-id', request.id)
  if (problem.retryAfter !== undefined) void reply.header('retry-after', String(problem.retryAfter))
  if (problem.status === 401) void reply.header('www-authenticate', problem.challenge ?? ACCESS_CHALLENGE)
  if (problem instanceof MethodNotAllowed) void reply.header('allow', problem.allow.join(', '))
  // A losing Commit's 409 carries entries, so a problem is negotiated like any answer.
  const cbor = negotiate(request.headers.accept) === 'application/cbor'
  void reply
    .code(problem.status)
    .header('content-type', cbor ? 'application/cbor' : PROBLEM_MEDIA_TYPE)
    .send(cbor ? Buffer.from(encodeCbor(document)) : encodeJson(document))
}

function unexpected(thrown: unknown, request: FastifyRequest, log: Logger): Problem {
  log.error({ request_id: request.id, route: request.routeOptions.url, err: thrown }, 'request failed')
  return new Problem(500, 'internal', 'The server failed. `instance` names this request in its log.')
}

/** The problem for an error of known origin: ours, Nest's, Fastify's or PostgreSQL's. */
export function problemFor(thrown: unknown): Problem | undefined {
  if (thrown instanceof Problem) return thrown
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusOf(thrown)
  if (status !== undefined && status >= 400 && status < 500) return problemForStatus(status)
  return problemOfDatabase(thrown)
}

/** PostgreSQL's failures are 503, which says that another try is worth it; but never for a value that it can never hold. */
function problemOfDatabase(thrown: unknown): Problem | undefined {
  switch (failureOf(thrown)) {
    case 'temporary':
      return new Unavailable()
    case 'read-only':
      return new Unavailable('The server cannot write at the moment.', READ_ONLY_SECONDS)
    case 'full':
      return new Unavailable('The disk of the database is full.', FULL_SECONDS)
    case 'input':
      return new InvalidRequest('A value in the request cannot be stored.')
    case undefined:
      return undefined
  }
}

function statusOf(thrown: unknown): number | undefined {
  if (!isError(thrown) || !('statusCode' in thrown)) return undefined
  return typeof thrown.statusCode === 'number' ? thrown.statusCode : undefined
}

function problemForStatus(status: number): Problem {
  if (status === 401) return new Unauthenticated()
  if (status === 404) return new NotFound()
  if (status === 413) return new TooLarge('The body is larger than this server takes.')
  if (status === 415)
    return new UnsupportedMediaType('Send application/json or application/cbor, or message/mls where one message is taken.')
  if (status === 408) return new Problem(408, 'timeout', 'The request took too long to arrive.')
  if (status === 414) return new Problem(414, 'uri-too-long', 'The address is too long.')
  return new InvalidRequest('The request cannot be understood.')
}
