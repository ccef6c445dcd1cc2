import { Body, Controller, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { LimitedPerAddress } from '../limits/address-limit.guard.js'
import { Anonymous } from '../session/anonymous.js'
import { Challenge, ChallengeRequest } from './challenges.dto.js'
import { Challenges } from './challenges.js'

@ApiTags('sessions')
@Controller('v1/auth/challenges')
export class ChallengesController {
  constructor(private readonly challenges: Challenges) {}

  @Post()
  @TakesBody('tiny')
  @Anonymous()
  @LimitedPerAddress('login')
  @Returns(Challenge, { status: 201 })
  @ApiOperation({
    summary: 'Get a nonce to sign',
    description: 'For a login, a registration, a new device or a new key. Unknown clients get one, too.',
  })
  issue(@Body({ schema: ChallengeRequest }) { client }: ChallengeRequest) {
    return this.challenges.issue(client)
  }
}
