import { Body, Controller, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { LimitedPerAddress } from '../address-limit.guard.js'
import { Anonymous } from '../session/caller.js'
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
  @Returns(Challenge, { status: 201, description: 'A nonce, and what has to be signed with it.' })
  @ApiOperation({
    operationId: 'createChallenge',
    summary: 'Get a nonce to sign',
    description:
      'A client that is not registered gets one, too. `purpose` `login`, `registration`, `new-device`, `new-key` or `new-passkey`: the proof is ' +
      'SignWithLabel(key, label, content) of RFC 9420 §5.1.2, where content is {opaque domain<V>; opaque client_uri<V>; ' +
      'opaque nonce<V>; uint64 expires_at} with the values of this answer, and label "MicroChat Device Login", "MicroChat ' +
      'Registration", "MicroChat New Device", "MicroChat New Key" or "MicroChat New Passkey" (the SHA-256 of that SignContent is the challenge of ' +
      'navigator.credentials.create). The other purposes are step-up proofs (docs/identity.md §8) under ' +
      '"MicroChat Step-Up " and the purpose. A nonce is good once, for its purpose and its client.',
  })
  @Refuses('wrong-domain')
  issue(@Body({ schema: ChallengeRequest }) request: ChallengeRequest) {
    return this.challenges.issue(request)
  }
}
