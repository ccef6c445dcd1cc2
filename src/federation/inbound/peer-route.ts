import { applyDecorators, HttpCode, Post, UseGuards, UseInterceptors } from '@nestjs/common'
import { ApiExcludeEndpoint } from '@nestjs/swagger'
import { Anonymous } from '../../authentication/session/anonymous.js'
import { TakesMimi } from '../../platform/http/route-options.js'
import { PeerGuard } from './peer.guard.js'
import { PeerInterceptor } from './peer.interceptor.js'

/** An endpoint for other providers: signed requests in, signed answers out, bodies in TLS presentation language. */
export const PeerPost = (path: string, status = 200) =>
  applyDecorators(
    Post(path),
    HttpCode(status),
    Anonymous(),
    TakesMimi(),
    UseGuards(PeerGuard),
    UseInterceptors(PeerInterceptor),
    ApiExcludeEndpoint(),
  )
