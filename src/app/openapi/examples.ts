import { readFileSync } from 'node:fs'
import type { OpenAPIObject } from '@nestjs/swagger'

type Methods = OpenAPIObject['paths'][string]
type OperationObject = NonNullable<Methods['get']>

/** Bodies that are not JSON, by content type, as base64url; of CBOR also in diagnostic notation. */
type BytesByType = Readonly<Record<string, { readonly base64url: string; readonly diagnostic?: string }>>

/** One operation in docs/api-examples.json, as `npm run api-examples` recorded it. */
interface Example {
  readonly status: number
  readonly path: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly request?: unknown
  readonly response?: unknown
  readonly requestBytes?: BytesByType
  readonly responseBytes?: BytesByType
  /** What differs in each run: JSON pointers into the request, and names of parameters. */
  readonly fresh: readonly string[]
}

const FILE = new URL('../../../docs/api-examples.json', import.meta.url)

/**
 * Puts the recorded examples where documentation and generators look for them. CBOR has the same members, with byte strings. OpenAPI has
 * no place for an example of bytes that generators leave alone, so these stand under `x-example`.
 */
export function addExamples(operations: Iterable<OperationObject>): void {
  const examples = JSON.parse(readFileSync(FILE, 'utf8')) as Readonly<Record<string, Example>>
  for (const operation of operations) {
    const example = examples[operation.operationId ?? '']
    if (example) addExample(operation, example)
  }
}

function addExample(operation: OperationObject, example: Example): void {
  const { status, path, query, headers, request, response, fresh } = example
  const values = { ...path, ...query, ...headers }
  operation.parameters = (operation.parameters ?? []).map((parameter) => {
    const value = 'name' in parameter ? values[parameter.name] : undefined
    return value === undefined || !('name' in parameter)
      ? parameter
      : { ...parameter, example: typed(parameter.schema, value), ...(fresh.includes(parameter.name) && { 'x-fresh': true }) }
  })
  if (request !== undefined) exemplify(operation.requestBody, { example: request, ...freshPointers(fresh) })
  if (response !== undefined) exemplify(operation.responses[String(status)], { example: response })
  exemplifyBytes(operation.requestBody, example.requestBytes)
  exemplifyBytes(operation.responses[String(status)], example.responseBytes)
}

function exemplifyBytes(holder: unknown, bytes: BytesByType = {}): void {
  if (typeof holder !== 'object' || holder === null || !('content' in holder)) return
  const content = holder.content as Record<string, object>
  for (const [type, shown] of Object.entries(bytes)) if (content[type]) content[type] = { ...content[type], 'x-example': shown }
}

function freshPointers(fresh: readonly string[]): { 'x-fresh'?: readonly string[] } {
  const pointers = fresh.filter((name) => name.startsWith('/'))
  return pointers.length > 0 ? { 'x-fresh': pointers } : {}
}

function exemplify(holder: unknown, members: object): void {
  if (typeof holder !== 'object' || holder === null || !('content' in holder)) return
  const content = holder.content as Record<string, object>
  for (const type of Object.keys(content)) if (/json|issuer-directory/.test(type)) content[type] = { ...content[type], ...members }
}

function typed(schema: unknown, value: string): string | number {
  return typeof schema === 'object' && schema !== null && 'type' in schema && schema.type === 'integer' ? Number(value) : value
}
