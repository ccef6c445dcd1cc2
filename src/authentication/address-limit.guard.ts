import { applyDecorators, Inject, Injectable, SetMetadata, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { CONFIG, type Config } from '../platform/config/config.js'
import { Limits } from '../platform/limits/limits.js'
import { addressGroup } from '../platform/admission/address.js'

const LIMIT_NAME = Symbol('LIMIT_NAME')

/** Anyone may call an anonymous route, but not as often as they like. It runs before the body is validated. */
@Injectable()
export class AddressLimitGuard implements CanActivate {
  constructor(
    private readonly limits: Limits,
    private readonly reflector: Reflector,
    @Inject(CONFIG) private readonly config: Pick<Config, 'LOGINS_PER_MINUTE'>,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const name = this.reflector.get<string>(LIMIT_NAME, context.getHandler())
    const { ip } = context.switchToHttp().getRequest<{ ip: string }>()
    await this.limits.take({ name, points: this.config.LOGINS_PER_MINUTE, seconds: 60 }, addressGroup(ip))
    return true
  }
}

/** LOGINS_PER_MINUTE per client address, over all routes that share the name; 429 beyond. */
export const LimitedPerAddress = (name: 'login' | 'refresh') => applyDecorators(SetMetadata(LIMIT_NAME, name), UseGuards(AddressLimitGuard))
