import { readFileSync } from 'node:fs'
import { contentOf, type OperationObject } from './operation-object.js'

/** Bodies that are not JSON, by content type: base64url, and for CBOR also diagnostic notation. */
type BinaryExamples = Readonly<Record<string, { readonly base64url: string; readonly diagnostic?: string }>>

/** One operation in docs/api-examples.json, as `npm run api-examples` recorded it. */
interface Example {
  readonly status: number
  readonly path: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly request?: unknown
  readonly response?: unknown
  readonly requestBytes?: BinaryExamples
  readonly responseBytes?: BinaryExamples
  /** What changes with every run: JSON pointers into the request body, and parameter names. */
  readonly fresh: readonly string[]
}

const FILE = new URL('../../../docs/api-examples.json', import.meta.url)

/**
 * Puts the recorded examples where documentation and generators look for them. The CBOR body has no example of its own: it has the
 * members of the JSON one. Binary bodies go under `x-example`, since generators misread a binary `example`.
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
      : { ...parameter, example: toSchemaType(parameter.schema, value), ...(fresh.includes(parameter.name) && { 'x-fresh': true }) }
  })
  if (request !== undefined) setExample(operation.requestBody, { example: request, ...freshPointers(fresh) })
  if (response !== undefined) setExample(operation.responses[String(status)], { example: response })
  setBinaryExamples(operation.requestBody, example.requestBytes)
  setBinaryExamples(operation.responses[String(status)], example.responseBytes)
}

function setBinaryExamples(holder: unknown, bytes: BinaryExamples = {}): void {
  const content = contentOf(holder) ?? {}
  for (const [type, example] of Object.entries(bytes)) if (content[type]) content[type] = { ...content[type], 'x-example': example }
}

function freshPointers(fresh: readonly string[]): { 'x-fresh'?: readonly string[] } {
  const pointers = fresh.filter((name) => name.startsWith('/'))
  return pointers.length > 0 ? { 'x-fresh': pointers } : {}
}

function setExample(holder: unknown, members: object): void {
  const content = contentOf(holder) ?? {}
  // JSON types only; the issuer directory's media type does not end in json.
  for (const type of Object.keys(content)) if (/json|issuer-directory/.test(type)) content[type] = { ...content[type], ...members }
}

function toSchemaType(schema: unknown, value: string): string | number {
  return typeof schema === 'object' && schema !== null && 'type' in schema && schema.type === 'integer' ? Number(value) : value
}
