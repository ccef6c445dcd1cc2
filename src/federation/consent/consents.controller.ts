import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { UserReference } from '../../groups/policy/uris.js'
import { Returns } from '../../platform/http/returns.js'
import { CancelConsent, ConsentDecided, ConsentList, DecideConsent, RequestConsent } from './consent.dto.js'
import { Consents } from './consents.js'

@ApiTags('federation')
@Controller('v1/consents')
export class ConsentsController {
  constructor(private readonly consents: Consents) {}

  @Get()
  @Returns(ConsentList)
  @ApiOperation({ summary: 'Who may have KeyPackages of this user, and whom this user has asked' })
  list(@CurrentDevice() caller: Caller) {
    return this.consents.list(caller.user)
  }

  @Put(':requester')
  @Returns(ConsentDecided)
  @ApiOperation({
    summary: 'Grant or revoke consent',
    description: 'Whether or not there was a request. What is revoked for all rooms or for one is not granted by the other.',
  })
  decide(
    @CurrentDevice() caller: Caller,
    @Param('requester', { schema: UserReference }) requester: string,
    @Body({ schema: DecideConsent }) body: DecideConsent,
  ) {
    return this.consents.decide(caller.user, requester, body)
  }

  @Post()
  @HttpCode(204)
  @ApiOperation({ summary: 'Ask a user of any provider for consent', description: 'Whether there is such a user is not told.' })
  request(@CurrentDevice() caller: Caller, @Body({ schema: RequestConsent }) body: RequestConsent) {
    return this.consents.request(caller.user, body)
  }

  @Delete(':target')
  @HttpCode(204)
  @ApiOperation({ summary: 'Take a request for consent back', description: 'Of the same scope as the request was.' })
  cancel(
    @CurrentDevice() caller: Caller,
    @Param('target', { schema: UserReference }) target: string,
    @Query({ schema: CancelConsent }) { room }: CancelConsent,
  ) {
    return this.consents.cancel(caller.user, target, room)
  }
}
