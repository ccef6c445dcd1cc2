import { STATUS_CODES } from 'node:http'
import type { OpenAPIObject } from '@nestjs/swagger'
import { PROBLEM_MEDIA_TYPE, ProblemDocument } from '../../platform/http/problem-document.js'
import { jsonSchemaOf } from './json-schema.js'
import type { Operation } from './operations.js'

type Method = 'get' | 'post' | 'put' | 'delete' | 'patch'
type OperationObject = NonNullable<OpenAPIObject['paths'][string][Method]>
const METHODS: readonly Method[] = ['get', 'post', 'put', 'delete', 'patch']
const JSON_TYPE = 'application/json'
const CBOR_TYPE = 'application/cbor'

/** Adds what holds for every operation: CBOR beside JSON, message/mls, the bearer token, the refusals. */
export function complete(document: OpenAPIObject, operations: ReadonlyMap<string, Operation>): OpenAPIObject {
  for (const path of Object.values(document.paths)) {
    for (const method of METHODS) {
      const operation = path[method]
      if (operation) completeOperation(operation, operations.get(operation.operationId ?? ''))
    }
  }
  const schemas = { ...document.components?.schemas, ...jsonSchemaOf(ProblemDocument, 'output').components }
  const responses = Object.fromEntries(REFUSALS.map((status) => [responseName(status), refusal(status)]))
  document.components = { ...document.components, schemas, responses }
  return document
}

function completeOperation(operation: OperationObject, known: Operation | undefined): void {
  if (!known?.anonymous) operation.security = [{ device: [] }]
  const responses = operation.responses as Record<string, unknown>
  const success = responses['2XX']
  if (success && known) {
    delete responses['2XX']
    responses[String(known.status)] = success
  }
  for (const response of Object.values(responses)) addCbor(contentOf(response))
  const body = contentOf(operation.requestBody)
  addCbor(body)
  if (body && known?.messageField)
    body['message/mls'] = {
      schema: { type: 'string', format: 'binary', description: `One MLSMessage, taken as \`${known.messageField}\`` },
    }
  for (const status of refusalsOf(operation, known))
    responses[String(status)] ??= { $ref: `#/components/responses/${responseName(status)}` }
}

function refusalsOf(operation: OperationObject, known: Operation | undefined): number[] {
  const takesInput = (operation.parameters?.length ?? 0) > 0 || operation.requestBody !== undefined
  return [...(takesInput ? [400] : []), ...(known?.anonymous ? [] : [401]), ...(operation.requestBody ? [413, 415] : []), 429, 503]
}

const REFUSALS = [400, 401, 413, 415, 429, 503]

function responseName(status: number): string {
  return (STATUS_CODES[status] ?? 'Refused').replaceAll(' ', '')
}

function refusal(status: number) {
  return {
    description: STATUS_CODES[status] ?? 'Refused',
    content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
  }
}

function contentOf(holder: unknown): Record<string, unknown> | undefined {
  if (typeof holder !== 'object' || holder === null || !('content' in holder)) return undefined
  return holder.content as Record<string, unknown>
}

function addCbor(content: Record<string, unknown> | undefined): void {
  if (content?.[JSON_TYPE]) content[CBOR_TYPE] = content[JSON_TYPE]
}
