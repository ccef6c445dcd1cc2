import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common'
import type { Observable } from 'rxjs'
import type { CallerCarrier } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { FirstLooks, type Asker } from '../peers/first-looks.js'
import type { PeerCarrier } from './peer.js'

/** First looks at other providers that a request causes, however far below, are the account's or the peer's that sent it. */
@Injectable()
export class ChargesAsker implements NestInterceptor {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly looks: FirstLooks,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (this.config.FEDERATION === 'off') return next.handle()
    const asker = askerOf(context.switchToHttp().getRequest<CallerCarrier & PeerCarrier>())
    // Nest binds the handler to the context in which `handle` is called.
    return asker ? this.looks.chargeTo(asker, () => next.handle()) : next.handle()
  }
}

function askerOf({ caller, peer }: CallerCarrier & PeerCarrier): Asker | undefined {
  if (peer) return { kind: 'peer', name: peer.domain }
  return caller && { kind: 'account', name: caller.user }
}
