import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { Unauthenticated } from '../../platform/http/problem.js'
import { routeOption } from '../../platform/http/route-options.js'

/** The device behind a request or stream. */
export interface Caller {
  readonly deviceId: bigint
  /** Id of the account. */
  readonly userId: bigint
  /** `mimi://<domain>/d/<user>/<device>` */
  readonly client: string
  /** `mimi://<domain>/u/<user>` */
  readonly user: string
  /** Sessions of another generation have ended. */
  readonly generation: number
  /** When its access token runs out. */
  readonly expiresAt: Date
}

/** What `authenticateRequest` leaves on the request. */
export interface CallerCarrier {
  caller?: Caller
}

/** The authenticated device, as a parameter of a handler. */
export const CurrentDevice = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<CallerCarrier>()
  if (caller === undefined) throw new Unauthenticated() // on an @Anonymous() route: a mistake in the server, but a safe one
  return caller
})

/** This route, or every route of this controller, takes no session. All others need an access token. */
export const Anonymous = () => routeOption({ anonymous: true })
