import {
  applyDecorators,
  HttpCode,
  Injectable,
  Param,
  Post,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common'
import { ApiExcludeEndpoint } from '@nestjs/swagger'
import { Anonymous } from '../../authentication/session/caller.js'
import type { FastifyReply } from 'fastify'
import { map, type Observable } from 'rxjs'
import { z, type ZodType } from 'zod'
import { ProviderDomain, RoomUri, UserUri } from '../../authentication/identifiers.dto.js'
import { NotFound } from '../../platform/http/problem.js'
import { TakesMimi } from '../../platform/http/route-options.js'
import { MIMI_MEDIA_TYPE } from '../../protocol/mimi/common.js'
import { PeerGuard } from './peer.guard.js'
import { InRoom, RoomGuard, type PeerRoom } from './room.guard.js'

/**
 * An endpoint for other providers: signed requests in, signed answers out, bodies in TLS presentation language.
 * @param path `<endpoint>/:<variable>`; also served as `<endpoint>?<variable>=…` (`PeerGuard` makes one of the other)
 */
export const PeerPost = <Path extends string>(path: OtherThanRoom<Path>, status = 200) => peerRoute(path, status)

/** One about a room. @param place whose the room is, and what the body says of it */
export const RoomPost = <Body>(path: `${string}/:roomId`, place: PeerRoom<Body>, status = 200) =>
  // In this order: whose request it is is known first.
  applyDecorators(peerRoute(path, status), UseGuards(RoomGuard), InRoom(place))

type OtherThanRoom<Path extends string> = Path extends `${string}/:roomId` ? never : Path

const peerRoute = (path: string, status: number) =>
  applyDecorators(
    Post([path, path.replace(/\/:\w+$/, '')]),
    HttpCode(status),
    Anonymous(),
    TakesMimi(),
    UseGuards(PeerGuard),
    UseInterceptors(PeerInterceptor),
    ApiExcludeEndpoint(),
  )

/** Sends the bytes that a handler returned. */
@Injectable()
class PeerInterceptor implements NestInterceptor {
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

const MAX_VARIABLE_LENGTH = 400

/** `{roomId}` of an endpoint, in the path or in the query. All variables of another form than theirs answer 404. */
export const RoomVariable = () => Param('roomId', { schema: Room })

/** A user, as its URI. */
export const UserVariable = (name: string) => Param(name, { schema: User })

/** A provider's domain; whether it is ours, the handler says. */
export const DomainVariable = (name: string) => Param(name, { schema: Domain })

const Room = variable(RoomUri, 'a room: mimi://<domain>/r/<room>')
const User = variable(UserUri, 'a user: mimi://<domain>/u/<user>')
const Domain = variable(ProviderDomain, 'a domain')

/** The federation profile has 404 for a variable of another form than what it stands for: a resource of such a name cannot be. */
function variable(schema: ZodType, what: string) {
  const isOne = (text: string) => schema.safeParse(text).success
  return z
    .string()
    .max(MAX_VARIABLE_LENGTH)
    .refine(isOne, { message: `The address does not name ${what}.`, params: { notFound: true } })
    .prefault('')
}

/** A provider answers for its own domain. @throws NotFound for a request about another one */
export function requireOwnDomain(domain: string, own: string): void {
  if (domain !== own) throw new NotFound('The domain is not served here.')
}
