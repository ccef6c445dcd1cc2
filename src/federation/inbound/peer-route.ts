import { applyDecorators, HttpCode, Post, UseGuards, UseInterceptors } from '@nestjs/common'
import { ApiExcludeEndpoint } from '@nestjs/swagger'
import { Anonymous } from '../../authentication/session/caller.js'
import { TakesMimi } from '../../platform/http/route-options.js'
import { PeerGuard } from './peer.guard.js'
import { PeerInterceptor } from './peer.interceptor.js'

/**
 * An endpoint for other providers: signed requests in, signed answers out, bodies in TLS presentation language.
 * @param path `<endpoint>/:<variable>`; also served as `<endpoint>?<variable>=…` (`PeerGuard` makes one of the other)
 */
export const PeerPost = (path: string, status = 200) =>
  applyDecorators(
    Post([path, path.replace(/\/:\w+$/, '')]),
    HttpCode(status),
    Anonymous(),
    TakesMimi(),
    UseGuards(PeerGuard),
    UseInterceptors(PeerInterceptor),
    ApiExcludeEndpoint(),
  )
