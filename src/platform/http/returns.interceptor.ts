import { Injectable, StreamableFile, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { map, type Observable } from 'rxjs'
import { z, type ZodType } from 'zod'
import { negotiate } from './accept.js'
import { encodeBody } from './encode.js'
import { RETURNS } from './returns.js'

/** Renders what a handler returned through the schema of its `@Returns`. Handlers without one answer for themselves. */
@Injectable()
export class ReturnsInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const schema = this.reflector.get<ZodType | undefined>(RETURNS, context.getHandler())
    if (context.getType() !== 'http' || !schema) return next.handle()
    const http = context.switchToHttp()
    return next.handle().pipe(map((value: unknown) => render(value, schema, http.getRequest(), http.getResponse())))
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
