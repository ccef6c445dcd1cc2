import type { FastifyInstance, FastifyRequest } from 'fastify'
import { CborError, decodeCbor } from '../../../protocol/strict-cbor.js'
import { decodeJson, JsonError } from './decode-json.js'
import { namedIncarnation } from '../named-incarnation.js'
import { InvalidRequest, UnsupportedMediaType } from '../problem.js'
import type { RouteOptions } from '../route-options.js'

declare module 'fastify' {
  interface FastifyContextConfig extends RouteOptions {}
}

type Done = (error: Error | null, body?: unknown) => void

/** The forms a body may have; anything else is refused with 415 before it is read. */
export function registerBodyParsers(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers()
  const buffered = { parseAs: 'buffer' } as const
  fastify.addContentTypeParser<Buffer>('application/json', buffered, (_request, body, done) => settle(done, body, decodeJson))
  fastify.addContentTypeParser<Buffer>('application/cbor', buffered, (_request, body, done) => settle(done, body, decodeCbor))
  fastify.addContentTypeParser<Buffer>('message/mls', buffered, (request, body, done) =>
    settle(done, body, () => rawMessage(request, body)),
  )
  fastify.addContentTypeParser<Buffer>('application/mimi', buffered, (request, body, done) =>
    settle(done, body, () => peerBody(request, body)),
  )
  for (const type of BYTE_TYPES)
    fastify.addContentTypeParser<Buffer>(type, buffered, (request, body, done) => settle(done, body, () => plainBytes(request, type, body)))
}

/** Types that other standards give bodies which are no JSON; each route names those that it takes. */
const BYTE_TYPES = ['application/private-token-request', 'application/private-token-generic-batch-request', 'message/ohttp-req']

/** No body is no error here: whether one is needed, the route's schema says. */
function settle(done: Done, body: Buffer, parse: (body: Buffer) => unknown): void {
  try {
    done(null, body.length === 0 ? undefined : parse(body))
  } catch (error) {
    if (error instanceof JsonError || error instanceof CborError) done(new InvalidRequest(`The body cannot be read: ${error.message}.`))
    else done(error instanceof Error ? error : new InvalidRequest('The body cannot be read.'))
  }
}

function peerBody(request: FastifyRequest, body: Buffer): Uint8Array {
  if (!request.routeOptions.config.mimi) throw new UnsupportedMediaType('application/mimi is for the endpoints between providers.')
  return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
}

function plainBytes(request: FastifyRequest, type: string, body: Buffer): Uint8Array {
  if (!request.routeOptions.config.bytes?.includes(type)) throw new UnsupportedMediaType(`This resource does not take ${type}.`)
  return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
}

function rawMessage(request: FastifyRequest, body: Buffer): unknown {
  const field = request.routeOptions.config.messageField
  if (!field) throw new UnsupportedMediaType('This resource does not take a single message/mls; send JSON or CBOR.')
  const incarnation = namedIncarnation(request.headers)
  return { [field]: new Uint8Array(body.buffer, body.byteOffset, body.byteLength), ...(incarnation !== undefined && { incarnation }) }
}
