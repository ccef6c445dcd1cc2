import { Body, Controller, Post, Req } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { LimitedPerAddress } from '../address-limit.guard.js'
import { Possession } from '../possession/possession.js'
import { PROOF_PROBLEMS, TakesProof } from '../possession/possession.problems.js'
import { Anonymous } from '../session/caller.js'
import { Session } from '../session/sessions.dto.js'
import { continuesList, Recovery } from './recovery.js'
import { RegisterAccount, Registration } from './registration.js'

@ApiTags('accounts')
@Controller('v1/accounts')
export class AccountsController {
  constructor(
    private readonly registration: Registration,
    private readonly recovery: Recovery,
    private readonly possession: Possession,
  ) {}

  @Post()
  @Anonymous()
  @LimitedPerAddress('login')
  @TakesProof()
  @Returns(Session, { status: 201, description: 'The account and the device exist; here is its first session.' })
  @ApiOperation({
    operationId: 'registerAccount',
    summary: 'Register an account with its first device',
    description:
      'Get a challenge for the new client first. Each signature key comes with its proof over that challenge (see ' +
      'createChallenge). The account exists, and the device is logged in, when this answers 201. Names and keys are never ' +
      'given out a second time. With a `device_list` of one entry that continues the list of an account, by a recovery key or another key in it that is ' +
      'of no device, a new device of that account is registered instead (see recoverDeviceList).',
  })
  @Refuses(...PROOF_PROBLEMS, 'wrong-domain', 'proof-refused', 'registration-refused', 'name-taken', 'key-taken')
  @Refuses('invalid-device-list', 'device-list-required', 'device-list-changed', 'change-pending')
  async register(@Body({ schema: RegisterAccount }) body: RegisterAccount, @Req() request: FastifyRequest) {
    const { device_list: list, ...device } = body
    const key = await this.possession.forNewSession(request)
    return list !== undefined && continuesList(list) ? this.recovery.register(device, list, key) : this.registration.register(body, key)
  }
}
