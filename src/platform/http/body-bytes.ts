import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { UnsupportedMediaType } from './problem.js'

/** The body of a route with `@TakesBytes`, with its media type. */
export interface TypedBytes {
  readonly type: string
  readonly bytes: Uint8Array
}

export const BodyBytes = createParamDecorator((_data: unknown, context: ExecutionContext): TypedBytes => {
  const { body, headers } = context.switchToHttp().getRequest<{ body?: unknown; headers: { 'content-type'?: string } }>()
  // JSON and CBOR are read everywhere; here they are as wrong as anything else.
  if (!(body instanceof Uint8Array)) throw new UnsupportedMediaType('This resource does not take a body of this type, or an empty one.')
  return { type: (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '', bytes: body }
})
