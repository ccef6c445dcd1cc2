import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

/** JSON Schema, as far as requests are described with it. */
export interface Schema {
  $ref?: string
  type?: string
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  contentEncoding?: string
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
}

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required?: boolean
  schema: Schema
  example?: string | number
}

export interface Media {
  schema: Schema
  example?: unknown
  'x-example'?: { base64url: string }
}

export interface Operation {
  id: string
  /** `GET` */
  method: string
  /** `/v1/groups/{groupId}` */
  path: string
  parameters: Parameter[]
  /** Media by content type. */
  content: Record<string, Media>
  anonymous: boolean
}

interface Described {
  operationId: string
  parameters?: Parameter[]
  requestBody?: { content: Record<string, Media> }
  security?: unknown[]
}
interface Document {
  paths: Record<string, Record<string, Described>>
  components: { schemas: Record<string, Schema> }
}

const document = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as Document

/** Every operation of openapi.yaml, in its order. */
export const OPERATIONS: readonly Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId: id, parameters = [], requestBody, security }]) => ({
    id,
    method: method.toUpperCase(),
    path,
    parameters,
    content: requestBody?.content ?? {},
    anonymous: security?.length === 0,
  })),
)

/** The schemas that others refer to, as `#/components/schemas/<name>`. */
export const COMPONENTS = document.components.schemas

/** The address of a request, with the values in their places; a parameter of the query without a value is left out. */
export function addressOf({ path, parameters }: Operation, values: Readonly<Record<string, string>>): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''))
  const query = parameters.filter(({ in: where, name }) => where === 'query' && values[name] !== undefined)
  const pairs = query.map(({ name }) => `${encodeURIComponent(name)}=${encodeURIComponent(values[name] ?? '')}`)
  return pairs.length === 0 ? filled : `${filled}?${pairs.join('&')}`
}
