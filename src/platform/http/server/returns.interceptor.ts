import { Injectable, StreamableFile, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { of, switchMap, type Observable } from 'rxjs'
import { z, type ZodType } from 'zod'
import { negotiate, encodeBody } from '../encode.js'
import { PublicDocument } from '../public-document.js'
import { RETURNS } from '../returns.js'

/** Renders what a handler returned: a `PublicDocument` by itself, anything else through the schema of `@Returns`, if there is one. */
@Injectable()
export class ReturnsInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const schema = this.reflector.get<ZodType | undefined>(RETURNS, context.getHandler())
    if (context.getType() !== 'http') return next.handle()
    const http = context.switchToHttp()
    const [request, reply] = [http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>()]
    const rendered = (value: unknown) => of(schema ? render(value, schema, request, reply) : value)
    return next
      .handle()
      .pipe(switchMap((value: unknown) => (value instanceof PublicDocument ? value.answer(request, reply) : rendered(value))))
  }
}

function render(value: unknown, schema: ZodType, request: FastifyRequest, reply: FastifyReply): unknown {
  if (value instanceof StreamableFile || (value === undefined && schema instanceof z.ZodVoid)) return value
  const mediaType = negotiate(request.headers.accept)
  const body = encodeBody(schema.parse(value), mediaType)
  void reply.header('content-type', mediaType === 'application/json' ? 'application/json; charset=utf-8' : mediaType)
  void reply.header('vary', 'accept')
  return typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}
