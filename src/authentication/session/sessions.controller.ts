import { Body, Controller, Delete, HttpCode, Post, Req } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsNothing } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { LimitedPerAddress } from '../address-limit.guard.js'
import { Refresh } from '../refresh/refresh.js'
import { Possession } from '../possession/possession.js'
import { PROOF_PROBLEMS, TakesProof } from '../possession/possession.problems.js'
import { Anonymous, CurrentDevice, type Caller } from './caller.js'
import { Login } from './login.js'
import { OpenSession, RefreshSession, Session } from './sessions.dto.js'

@ApiTags('sessions')
@Controller('v1/auth/sessions')
export class SessionsController {
  constructor(
    private readonly login: Login,
    private readonly refreshes: Refresh,
    private readonly possession: Possession,
  ) {}

  @Post()
  @Anonymous()
  @LimitedPerAddress('login')
  @TakesProof()
  @Returns(Session, { status: 201, description: 'The tokens of a new session.' })
  @ApiOperation({
    operationId: 'logIn',
    summary: 'Log a device in',
    description:
      'With a challenge for this client and a proof by one of its registered keys. Earlier sessions of the device stay valid. The signed label is `MLS 1.0 MicroChat Device Login` (docs/api-tour.md has a vector).',
  })
  @Refuses(...PROOF_PROBLEMS, 'login-refused')
  async open(@Body({ schema: OpenSession }) body: OpenSession, @Req() request: FastifyRequest) {
    return this.login.open(body, await this.possession.forNewSession(request))
  }

  @Post('refresh')
  @TakesBody('tiny')
  @HttpCode(200)
  @Anonymous()
  @LimitedPerAddress('refresh')
  @TakesProof()
  @Returns(Session, { description: 'The next pair of tokens.' })
  @ApiOperation({
    operationId: 'refreshSession',
    summary: 'Get new tokens for a refresh token',
    description:
      'Each refresh token is good once: keep the one of the answer. If the answer was lost, the same request within 60 ' +
      'seconds gives the same tokens. An older refresh token ends the session, because two parties hold it. A session that is bound to a key takes a proof of that key only.',
  })
  @Refuses(...PROOF_PROBLEMS, 'refresh-refused')
  async refresh(@Body({ schema: RefreshSession }) body: RefreshSession, @Req() request: FastifyRequest) {
    return this.refreshes.refresh(body.refresh_token, await this.possession.shown(request))
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'logOut',
    summary: 'Log this device out',
    description:
      'All access and refresh tokens of this device end, those of its other sessions too, and its stream is closed. The device stays registered.',
  })
  @ReturnsNothing('The sessions have ended.')
  end(@CurrentDevice() caller: Caller) {
    return this.refreshes.end(caller)
  }
}
