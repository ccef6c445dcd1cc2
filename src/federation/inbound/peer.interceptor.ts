import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { map, type Observable } from 'rxjs'
import { MIMI_MEDIA_TYPE } from '../../protocol/mimi/common.js'

/** Sends the bytes that a handler returned. */
@Injectable()
export class PeerInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler<Uint8Array | undefined>): Observable<Buffer | undefined> {
    const reply = context.switchToHttp().getResponse<FastifyReply>()
    return next.handle().pipe(
      map((body) => {
        if (body === undefined) return undefined
        void reply.header('content-type', MIMI_MEDIA_TYPE)
        return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
      }),
    )
  }
}
