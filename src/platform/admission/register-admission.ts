import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Cors } from '../http/server/cors.js'
import { InvalidRequest, Problem, RateLimited, TooLarge, UnsupportedMediaType } from '../http/problem.js'
import { problemFor, sendProblem } from '../http/send-problem.js'
import { addressGroup } from './address.js'
import type { Admission, Admitted, Asker } from './admission.js'
import { SMALL_BODY_BYTES } from './bytes-in-flight.js'
import type { Priority } from './pressure.js'

export interface AdmissionHooks {
  readonly admission: Admission
  /** Who a request's access token speaks for. @throws Problem 401 */
  authenticate: (request: FastifyRequest) => Promise<Asker>
  /** Why there is no such route, or none that this process serves. */
  routeRefusal: (request: FastifyRequest) => Problem | undefined
  readonly cors: Cors
  readonly log: Logger
}

/** How long a client may take to read a refusal before the connection on which it still sends a body is closed. */
const UNREAD_BODY_MS = 2_000
/** A remainder up to here is read and dropped, and the connection stays usable. */
const DROPPED_BODY_BYTES = 64 * 1024
/** A chunk counts for so much at least: one of a byte takes the parser as long as one of a kilobyte, and memory for its buffer. */
const CHUNK_BYTES = 1_024

const ADMITTED = Symbol('ADMITTED')
type Carrier = FastifyRequest & { [ADMITTED]?: Admitted }

/**
 * Judges every request by its head alone: framing, route, size, who asks, and how much they have under way. Nothing of a body is
 * read before. What is let in is counted until its answer has been sent.
 * @returns what answers a request that was refused before it met a hook
 */
export function registerAdmission(fastify: FastifyInstance, hooks: AdmissionHooks) {
  const answer = (refusal: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    if (isTooMuch(refusal, request, hooks.admission)) void reply.header('connection', 'close')
    refuse(refusal, request, reply, hooks.log)
  }
  fastify.addHook('onRequest', async (request, reply) => {
    try {
      if ((await judge(request, reply, hooks)) === 'preflight') return hooks.cors.answerPreflight(reply)
    } catch (refusal) {
      answer(refusal, request, reply)
      return reply
    }
  })
  fastify.addHook('preParsing', (request: Carrier, reply, payload, done) => {
    if (request.headers.expect !== undefined && request.raw.httpVersion === '1.1') reply.raw.writeContinue()
    const size = declaredLength(request)
    if (request[ADMITTED] && (size === undefined || size > SMALL_BODY_BYTES)) {
      countWhileReading(request, request[ADMITTED], size)
      // An answer may come before the whole body has: its type is unknown, it is too large.
      stopReadingAfter(reply, request.raw, size)
    }
    done(null, payload)
  })
  fastify.addHook('onSend', (request: Carrier, reply, payload, done) => {
    if (isLeftUnread(request)) void reply.header('connection', 'close')
    if (typeof payload === 'string' || payload instanceof Uint8Array) request[ADMITTED]?.holdAnswer(payload.length)
    done(null, payload)
  })
  return answer
}

/** @throws Problem why the request is not let in */
async function judge(request: Carrier, reply: FastifyReply, hooks: AdmissionHooks): Promise<'admitted' | 'preflight'> {
  checkFraming(request)
  const preflight = hooks.cors.isPreflight(request)
  // A preflight costs less than its refusal, and must not fail where the request that it is about would not.
  if (!preflight) hooks.admission.checkPressure(priorityOf(request))
  const unserved = preflight ? undefined : hooks.routeRefusal(request)
  const admitted = await admit(request, hooks, preflight || unserved !== undefined)
  reply.raw.once('close', () => admitted.release())
  // The connection may have ended while the session was looked up.
  if (reply.raw.destroyed) admitted.release()
  request[ADMITTED] = admitted
  if (unserved) throw unserved
  if (preflight) return 'preflight'
  checkBody(request, admitted)
  return 'admitted'
}

/** Whether the connection is closed with the refusal: asking again at once costs a new connection, and those are limited. */
function isTooMuch(refusal: unknown, request: Carrier, admission: Admission): boolean {
  if (refusal instanceof RateLimited) return true
  return !request[ADMITTED] && isClientFault(refusal) && admission.noteRefusal(addressGroup(request.ip))
}

function admit(request: FastifyRequest, { admission, authenticate }: AdmissionHooks, withoutRoute: boolean): Admitted | Promise<Admitted> {
  const { mimi, anonymous, operational } = request.routeOptions.config
  if (withoutRoute) return admission.admitAnonymous(addressGroup(request.ip))
  if (operational) return admission.admitOperational(addressGroup(request.ip))
  if (mimi) return admission.admitPeer(addressGroup(request.ip))
  if (anonymous) return admission.admitAnonymous(addressGroup(request.ip))
  return authenticate(request).then((asker) => admission.admitDevice(asker))
}

function isClientFault(refusal: unknown): boolean {
  const status = problemFor(refusal)?.status
  return status !== undefined && status < 500
}

function priorityOf(request: FastifyRequest): Priority {
  const { anonymous, priority, operational } = request.routeOptions.config
  if (operational) return 'last'
  if (priority) return priority
  if (anonymous || request.is404) return 'anonymous'
  return request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'post'
}

/**
 * What Node's parser takes, and RFC 9112 does not: two Host fields or none (§3.2), transfer codings besides chunked (§6.1). Bodies are not
 * decompressed: a few bytes could stand for gigabytes (RFC 9110 §8.4 asks for 415).
 */
function checkFraming({ raw, method }: FastifyRequest): void {
  let hosts = 0
  for (let index = 0; index < raw.rawHeaders.length; index += 2) if (raw.rawHeaders[index]?.toLowerCase() === 'host') hosts += 1
  if (hosts > 1) throw new InvalidRequest('There is more than one Host field.')
  if (hosts === 0 && raw.httpVersion === '1.1') throw new InvalidRequest('There is no Host field.')
  if (raw.headers.expect !== undefined && raw.httpVersion === '1.1' && !/^100-continue$/i.test(raw.headers.expect.trim()))
    throw new Problem(417, 'expectation-failed', 'The only expectation here is 100-continue.')
  const coding = raw.headers['transfer-encoding']
  // Nobody would read it, so it would have no limit (RFC 9110 §9.3.1 lets a server refuse it).
  if (coding !== undefined && (method === 'GET' || method === 'HEAD')) throw new InvalidRequest(`A ${method} request has no body here.`)
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked')
    throw new Problem(501, 'transfer-coding-unsupported', 'The only transfer coding here is chunked.')
  if ((raw.headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity')
    throw new UnsupportedMediaType('A body is sent as it is, without a content coding.')
}

/** Whether more of the body is still to come than is read and dropped: then the connection ends with the answer. */
function isLeftUnread(request: FastifyRequest): boolean {
  return !request.raw.complete && (declaredLength(request) ?? Number.POSITIVE_INFINITY) > DROPPED_BODY_BYTES
}

/** Small bodies of known length are counted at once, others as they arrive. */
function checkBody(request: FastifyRequest, admitted: Admitted): void {
  const size = declaredLength(request)
  const { bodyLimit, config } = request.routeOptions
  // Answers may be what is held: who does not read them gets no more. Health and metrics are never refused for what others hold.
  if (config.operational !== true) admitted.takeBodyBytes(0, 0)
  if (size === undefined) return
  if (bodyLimit !== undefined && size > bodyLimit) throw new TooLarge(`A body here has at most ${bodyLimit} bytes.`, bodyLimit)
  if (size > 0) admitted.countBody(size)
  if (size > 0 && size <= SMALL_BODY_BYTES) admitted.takeBodyBytes(size, size)
}

/** @returns the length of the body in bytes, 0 if there is none, undefined if it is not known beforehand */
function declaredLength({ headers }: FastifyRequest): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined
  return Number(headers['content-length'] ?? 0)
}

function countWhileReading({ raw: body }: FastifyRequest, admitted: Admitted, size = Number.POSITIVE_INFINITY): void {
  const inChunks = size === Number.POSITIVE_INFINITY
  const count = (chunk: Buffer) => {
    const cost = inChunks ? Math.max(chunk.length, CHUNK_BYTES) : chunk.length
    try {
      if (inChunks) admitted.countBody(cost)
      admitted.takeBodyBytes(cost, size)
    } catch (refusal) {
      body.off('data', count)
      // Fastify answers an error of the stream that it reads a body from.
      if (body.listenerCount('error') > 0) body.emit('error', refusal)
    }
  }
  body.on('data', count)
}

function refuse(refusal: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  const size = declaredLength(request)
  // A client that waits for 100 sends no body now, so nothing of this connection could be understood after it.
  if (request.headers.expect !== undefined) void reply.header('connection', 'close')
  else if (size !== 0 && !request.raw.complete) stopReadingAfter(reply, request.raw, size)
  if (isLeftUnread(request)) void reply.header('connection', 'close')
  sendProblem(refusal, request, reply, log)
}

/**
 * Node would read and drop the rest of a body after the answer, however much it is. A large rest is left in the network instead,
 * and the connection closed when the client has had time to read the answer: closing at once would reset it before.
 */
function stopReadingAfter(reply: FastifyReply, body: IncomingMessage, size = Number.POSITIVE_INFINITY): void {
  const { socket } = body
  // Node would destroy the socket as soon as an answer with `connection: close` is sent, which resets it.
  socket.destroySoon = () => (body.complete ? Socket.prototype.destroySoon.call(socket) : void socket.end())
  reply.raw.once('finish', () => {
    Reflect.deleteProperty(socket, 'destroySoon')
    // Node resumes the socket in this turn of the event loop.
    if (size > DROPPED_BODY_BYTES) setImmediate(() => body.complete || socket.pause())
    setTimeout(() => body.complete || socket.destroy(), UNREAD_BODY_MS).unref()
  })
}
