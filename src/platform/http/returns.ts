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
