import { applyDecorators, SetMetadata } from '@nestjs/common'
import { ApiResponse } from '@nestjs/swagger'
import type { ZodType } from 'zod'

export const RETURNS = Symbol('RETURNS')

/**
 * The shape of a success: checked and narrowed on the way out, rendered as JSON or CBOR as the client accepts,
 * and described in openapi.yaml. Unknown members of a `z.object` are dropped, so a handler may return a whole row.
 */
export function Returns(schema: ZodType, options: { status?: number; description?: string } = {}) {
  return applyDecorators(
    SetMetadata(RETURNS, schema),
    ApiResponse({ status: options.status ?? '2XX', description: options.description ?? 'Done', standardSchema: schema }),
  )
}

/** A success that is bytes of a type of another standard. Only describes: the handler sends them, and its content type. */
export function ReturnsBytes(description: string, ...types: readonly string[]) {
  const schema = { type: 'string', format: 'binary' }
  return ApiResponse({ status: '2XX', description, content: Object.fromEntries(types.map((type) => [type, { schema }])) })
}

/** For a document that is the same for everyone: its bytes may be those that the client has (RFC 9110 §15.4.5). */
export function ReturnsUnchanged() {
  return ApiResponse({ status: 304, description: 'The document is still that of the ETag in If-None-Match.' })
}

/** A success without content. */
export function ReturnsNothing(description: string) {
  return ApiResponse({ status: 204, description })
}
