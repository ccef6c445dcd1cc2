import { readFileSync } from 'node:fs'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { decode } from 'cborg'
import { parse } from 'yaml'
import { PROBLEMS } from '../../src/app/openapi/problem-catalogue.js'
import { toBase64url } from '../../src/platform/http/bytes.js'
import { ALLOWED_AT_ANY_OPERATION } from '../../src/platform/http/problem-types.js'

interface Answer {
  $ref?: string
  headers?: Record<string, { required?: boolean }>
  content?: Record<string, { schema: object }>
}
interface Document {
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, Answer> }>>
  components: { schemas: Record<string, object>; responses: Record<string, Answer> }
}

const TEXT = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')
let shared: Described | undefined

/** openapi.yaml, ready to judge answers by. Read once in each test file. */
class Described {
  private readonly document = parse(TEXT) as Document
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
  private readonly compiled = new Map<object, ValidateFunction>()

  constructor() {
    this.ajv.addSchema({ $id: 'api', components: closed({ schemas: this.document.components.schemas }) })
  }

  /** @returns what of the answer is not described; undefined also for routes that are not in the document */
  fault(method: string, route: string, answer: { status: number; headers: Record<string, unknown>; body: unknown }): string | undefined {
    const path = route.replaceAll(/:(\w+)/g, '{$1}').replace(/(?<=.)\/$/, '')
    const operation = this.document.paths[path]?.[method.toLowerCase()]
    if (!operation) return undefined
    const fault = this.faultOf(operation.responses[String(answer.status)], answer)
    return fault === undefined ? undefined : `${operation.operationId} answered ${answer.status}: ${fault}`
  }

  private faultOf(named: Answer | undefined, { headers, body }: { headers: Record<string, unknown>; body: unknown }): string | undefined {
    if (!named) return isOfNoRoute(body) ? undefined : `the status is not documented (${String(typeOf(readable(body)))})`
    const answer = named.$ref ? this.document.components.responses[named.$ref.split('/').at(-1) ?? ''] : named
    const missing = Object.entries(answer?.headers ?? {}).filter(([name, { required }]) => required && !(name.toLowerCase() in headers))
    if (missing.length > 0) return `there is no header ${missing.map(([name]) => name).join()}`
    const sent = headers['content-type']
    const type = typeof sent === 'string' ? sent.split(';')[0] : undefined
    if (!answer?.content) return body === undefined ? undefined : 'there is a body, and none is documented'
    const content = answer.content[type ?? '']
    if (!content) return `the type ${type} is not documented`
    if ('format' in content.schema) return undefined
    const check = this.check(content.schema)
    if (check(readBody(type ?? '', body))) return undefined
    const reasons = new Set(check.errors?.map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`))
    return `the body is not as documented: ${[...reasons].slice(0, 6).join('; ')} (${JSON.stringify(typeOf(readBody(type ?? '', body)))})`
  }

  private check(schema: object): ValidateFunction {
    const known = this.compiled.get(schema)
    if (known) return known
    const addressed = JSON.parse(JSON.stringify(closed(schema)).replaceAll('"#/components', '"api#/components')) as object
    const made = this.ajv.compile(addressed)
    this.compiled.set(schema, made)
    return made
  }
}

/** Clients have to take members that they do not know. A test does not: every answer has to be documented. */
function closed(node: unknown): object {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    const copy = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, key === 'discriminator' ? undefined : walk(member)]))
    return 'properties' in copy && copy['type'] === 'object' && !('additionalProperties' in copy)
      ? { ...copy, additionalProperties: false }
      : copy
  }
  return walk(node) as object
}

/** Refused for its framing, or for a form that no operation takes: that is in docs/errors.md alone. */
function isOfNoRoute(body: unknown): boolean {
  const name = String(typeOf(readable(body))).replace('urn:microchat:problem:', '')
  return ALLOWED_AT_ANY_OPERATION.includes(name)
}

/** The decoded body, for a message; undefined if it cannot be read, as one of an undocumented type may be anything. */
function readable(body: unknown): unknown {
  try {
    return readBody('', body)
  } catch {
    return undefined
  }
}

function readBody(type: string, body: unknown): unknown {
  if (typeof body === 'string') return JSON.parse(body)
  if (!(body instanceof Uint8Array)) return body
  return type.includes('cbor') ? inJson(decode(body)) : JSON.parse(Buffer.from(body).toString('utf8'))
}

function inJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64url(value)
  if (Array.isArray(value)) return value.map(inJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, inJson(member)]))
}

function typeOf(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'type' in body ? body.type : undefined
}

/**
 * Judges every answer of a server under test by openapi.yaml: status, headers, content type, members, and that its problem
 * types are in the catalogue. A test that expects a refusal is thereby also a test that the refusal is documented.
 * @returns what was found so far
 */
export function watchAnswers(fastify: FastifyInstance): readonly string[] {
  const faults: string[] = []
  shared ??= new Described()
  const described = shared
  fastify.addHook('onSend', (request: FastifyRequest, reply: FastifyReply, payload: unknown, done) => {
    const fault = judge(described, request, reply, payload)
    if (fault !== undefined && !faults.includes(fault)) faults.push(fault)
    done(null, payload)
  })
  return faults
}

function judge(described: Described, request: FastifyRequest, reply: FastifyReply, payload: unknown): string | undefined {
  const type = String(reply.getHeader('content-type') ?? '')
  const body = payload === null || payload === '' ? undefined : payload
  if (reply.statusCode >= 400 && type.startsWith('application/problem+json')) {
    const name = String(typeOf(readBody('json', body))).replace('urn:microchat:problem:', '')
    if (PROBLEMS.get(name)?.status !== reply.statusCode)
      return `${request.method} answered ${reply.statusCode} ${name}, which is not in the catalogue`
  }
  if (request.is404) return undefined
  const answer = { status: reply.statusCode, headers: reply.getHeaders(), body }
  return described.fault(request.method, request.routeOptions.url ?? '', answer)
}
