import type { OpenAPIObject } from '@nestjs/swagger'

export type Method = 'get' | 'post' | 'put' | 'delete' | 'patch'
export type OperationObject = NonNullable<OpenAPIObject['paths'][string][Method]>
/** Media types and what the document says of each. */
export type Content = Record<string, object>

/** The content of a request body or response; undefined if it has none, or is a reference. */
export function contentOf(holder: unknown): Content | undefined {
  if (typeof holder !== 'object' || holder === null || !('content' in holder)) return undefined
  return holder.content as Content
}
