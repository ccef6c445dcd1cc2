import { Body, Controller, Delete, HttpCode, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { LimitedPerAddress } from '../limits/address-limit.guard.js'
import { Anonymous } from './anonymous.js'
import { CurrentDevice, type Caller } from './caller.js'
import { Login } from './login.js'
import { Refresh } from '../refresh/refresh.js'
import { OpenSession, RefreshSession, Session } from './sessions.dto.js'

@ApiTags('sessions')
@Controller('v1/auth/sessions')
export class SessionsController {
  constructor(
    private readonly login: Login,
    private readonly refreshes: Refresh,
  ) {}

  @Post()
  @Anonymous()
  @LimitedPerAddress('login')
  @Returns(Session, { status: 201 })
  @ApiOperation({ summary: 'Log a device in', description: 'With its proof over a challenge. 401 login-refused, whatever was wrong.' })
  open(@Body({ schema: OpenSession }) body: OpenSession) {
    return this.login.open(body)
  }

  @Post('refresh')
  @TakesBody('tiny')
  @HttpCode(200)
  @Anonymous()
  @LimitedPerAddress('refresh')
  @Returns(Session)
  @ApiOperation({
    summary: 'Get new tokens for a refresh token',
    description:
      'Each refresh token is good once; the last one may be repeated for 10 seconds and gives the same answer. An older one ends the session.',
  })
  refresh(@Body({ schema: RefreshSession }) body: RefreshSession) {
    return this.refreshes.refresh(body.refresh_token)
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({ summary: 'Log this device out', description: 'Its access and refresh tokens end, and its stream closes.' })
  end(@CurrentDevice() caller: Caller) {
    return this.refreshes.end(caller)
  }
}
