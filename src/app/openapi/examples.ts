import { readFileSync } from 'node:fs'
import type { OpenAPIObject } from '@nestjs/swagger'

type Methods = OpenAPIObject['paths'][string]
type OperationObject = NonNullable<Methods['get']>

/** One operation in docs/api-examples.json, as `npm run api-examples` recorded it. */
interface Example {
  readonly status: number
  readonly path: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly request?: unknown
  readonly response?: unknown
  /** What differs in each run: JSON pointers into the request, and names of parameters. */
  readonly fresh: readonly string[]
}

const FILE = new URL('../../../docs/api-examples.json', import.meta.url)

/** Puts the recorded examples where documentation and generators look for them. CBOR has the same members, with byte strings. */
export function addExamples(operations: Iterable<OperationObject>): void {
  const examples = JSON.parse(readFileSync(FILE, 'utf8')) as Readonly<Record<string, Example>>
  for (const operation of operations) {
    const example = examples[operation.operationId ?? '']
    if (example) addExample(operation, example)
  }
}

function addExample(operation: OperationObject, { status, path, query, request, response, fresh }: Example): void {
  const values = { ...path, ...query }
  operation.parameters = (operation.parameters ?? []).map((parameter) => {
    const value = 'name' in parameter ? values[parameter.name] : undefined
    return value === undefined || !('name' in parameter)
      ? parameter
      : { ...parameter, example: typed(parameter.schema, value), ...(fresh.includes(parameter.name) && { 'x-fresh': true }) }
  })
  if (request !== undefined) exemplify(operation.requestBody, { example: request, ...freshPointers(fresh) })
  if (response !== undefined) exemplify(operation.responses[String(status)], { example: response })
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
