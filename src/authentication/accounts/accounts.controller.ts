import { Body, Controller, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { Returns } from '../../platform/http/returns.js'
import { LimitedPerAddress } from '../limits/address-limit.guard.js'
import { Anonymous } from '../session/anonymous.js'
import { Session } from '../session/sessions.dto.js'
import { RegisterAccount } from './accounts.dto.js'
import { Registration } from './registration.js'

@ApiTags('accounts')
@Controller('v1/accounts')
export class AccountsController {
  constructor(private readonly registration: Registration) {}

  @Post()
  @Anonymous()
  @LimitedPerAddress('login')
  @Returns(Session, { status: 201 })
  @ApiOperation({
    summary: 'Register an account with its first device',
    description:
      'Every key comes with its proof over one challenge for this client. 403 registration-refused where a code is needed; 409 if a name or key is taken.',
  })
  register(@Body({ schema: RegisterAccount }) body: RegisterAccount) {
    return this.registration.register(body)
  }
}
