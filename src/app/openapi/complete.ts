import type { OpenAPIObject } from '@nestjs/swagger'
import { addExamples } from './examples.js'
import { outputComponents } from './json-schema.js'
import { contentOf, type Content, type Method, type OperationObject } from './operation-object.js'
import type { DeclaredOperation } from './operations.js'
import { problemSchema } from './problem-catalogue.js'
import { inCatalogueOrder, ProblemResponses, refusalsOf } from './refusals.js'

const METHODS: readonly Method[] = ['get', 'post', 'put', 'delete', 'patch']
const JSON_TYPE = 'application/json'
const CBOR_TYPE = 'application/cbor'
const BINARY = { type: 'string', format: 'binary' }

/** Adds what this project's decorators say: CBOR next to JSON, message/mls, bytes, the access token, the refusals. */
export function completeDocument(document: OpenAPIObject, operations: ReadonlyMap<string, DeclaredOperation>): OpenAPIObject {
  const problemResponses = new ProblemResponses()
  const completed: OperationObject[] = []
  const types = new Set<string>()
  for (const path of Object.values(document.paths)) {
    for (const method of METHODS) {
      const operation = path[method]
      if (!operation) continue
      completed.push(operation)
      for (const [status, refused] of completeOperation(operation, operations)) {
        Object.assign(operation.responses, { [status]: problemResponses.of(status, refused) })
        for (const type of refused) types.add(type)
      }
    }
  }
  addExamples(completed)
  // Only types that some operation answers: the catalogue also has those of requests that reach no operation, and of calls between providers.
  const problems = inCatalogueOrder(types).map((type) => outputComponents(problemSchema(type)))
  const schemas = Object.assign({}, ...problems, document.components?.schemas)
  document.components = { ...document.components, schemas, responses: problemResponses.components() } as NonNullable<
    OpenAPIObject['components']
  >
  return document
}

function completeOperation(operation: OperationObject, operations: ReadonlyMap<string, DeclaredOperation>): Map<number, readonly string[]> {
  const declared = operations.get(operation.operationId ?? '')
  if (!declared) throw new Error(`No handler has the operationId ${operation.operationId}`)
  operation.security = declared.options.anonymous ? [] : [{ dpop: [] }, { device: [] }]
  operation.parameters = withoutRepetition(operation.parameters ?? [])
  takeBody(operation, declared)
  const responses = operation.responses as Record<string, unknown>
  if (responses['2XX']) {
    responses[String(declared.successStatus)] = responses['2XX']
    delete responses['2XX']
  }
  for (const response of Object.values(responses)) addCbor(contentOf(response))
  const takesInput = operation.parameters.length > 0 || operation.requestBody !== undefined
  return refusalsOf({ takesInput, takesBody: operation.requestBody !== undefined }, declared)
}

function takeBody(operation: OperationObject, { options }: DeclaredOperation): void {
  if (options.bytes) {
    operation.requestBody = { required: true, content: Object.fromEntries(options.bytes.map((type) => [type, { schema: BINARY }])) }
    return
  }
  const body = contentOf(operation.requestBody)
  addCbor(body)
  if (!body || !options.messageField) return
  body['message/mls'] = { schema: { ...BINARY, description: `One MLSMessage, taken as \`${options.messageField}\`` } }
  if (options.messageOnly) for (const type of [JSON_TYPE, CBOR_TYPE]) delete body[type]
}

/** What a parameter says about itself is in its schema too, where a second copy only makes the page longer. */
function withoutRepetition(parameters: NonNullable<OperationObject['parameters']>): NonNullable<OperationObject['parameters']> {
  return parameters.map((parameter) => {
    if (!('schema' in parameter) || !parameter.schema || !('description' in parameter.schema)) return parameter
    const { description, ...schema } = parameter.schema
    return { ...parameter, ...(description !== undefined && { description: parameter.description ?? description }), schema }
  })
}

function addCbor(content: Content | undefined): void {
  if (content?.[JSON_TYPE]) content[CBOR_TYPE] = { ...content[JSON_TYPE] }
}
