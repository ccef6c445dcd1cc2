import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { ByUser, UserReference } from '../../groups/policy/uris.js'
import { PEER_CALL_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsNothing } from '../../platform/http/returns.js'
import { CancelConsent, CancelConsentByQuery, ConsentDecided, ConsentList, DecideConsent, RequestConsent } from './consent.dto.js'
import { Consents } from './consents.js'

/** What users decide on who may have KeyPackages of them, and what they ask of others. */
@ApiTags('federation')
@Controller('v1/consents')
export class ConsentsController {
  constructor(private readonly consents: Consents) {}

  @Get()
  @Returns(ConsentList, { description: 'Decisions and requests.' })
  @ApiOperation({
    operationId: 'listConsents',
    summary: 'Who may have KeyPackages of this user, and whom this user has asked',
    description: 'Both with the rooms that they are for, where they are for one.',
  })
  list(@CurrentDevice() caller: Caller) {
    return this.consents.list(caller.user)
  }

  @Put(':user')
  @Returns(ConsentDecided, { description: 'The decision holds. `told` says whether the requester knows.' })
  @ApiOperation({
    operationId: 'decideConsent',
    summary: 'Grant or revoke consent',
    description:
      'Whether or not there was a request. What is revoked for all rooms or for one is not granted by the other. ' +
      'Behind a proxy that decodes `%2F`, use decideConsentByQuery.',
  })
  @Refuses('not-found', 'too-many-consents', ...PEER_CALL_PROBLEMS)
  decide(
    @CurrentDevice() caller: Caller,
    @Param('user', { schema: UserReference }) requester: string,
    @Body({ schema: DecideConsent }) body: DecideConsent,
  ) {
    return this.consents.decide(caller.user, requester, body)
  }

  @Post()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'requestConsent',
    summary: 'Ask a user of any provider for consent',
    description: 'Whether there is such a user is not told. The decision comes with listConsents.',
  })
  @Refuses('not-found', 'too-many-consents', ...PEER_CALL_PROBLEMS)
  @ReturnsNothing('The request was passed on, or will be.')
  request(@CurrentDevice() caller: Caller, @Body({ schema: RequestConsent }) body: RequestConsent) {
    return this.consents.request(caller.user, body)
  }

  @Delete(':user')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'cancelConsent',
    summary: 'Take a request for consent back',
    description: 'Of the same scope as the request was. Behind a proxy that decodes `%2F`, use cancelConsentByQuery.',
  })
  @Refuses('not-found', ...PEER_CALL_PROBLEMS)
  @ReturnsNothing('The request is withdrawn.')
  cancel(
    @CurrentDevice() caller: Caller,
    @Param('user', { schema: UserReference }) target: string,
    @Query({ schema: CancelConsent }) { room }: CancelConsent,
  ) {
    return this.consents.cancel(caller.user, target, room)
  }

  @Put()
  @Returns(ConsentDecided, { description: 'The decision holds. `told` says whether the requester knows.' })
  @ApiOperation({
    operationId: 'decideConsentByQuery',
    summary: 'Grant or revoke consent to a user who is named in the query',
    description: 'As decideConsent, and through every proxy: the slashes in the name of another provider’s user are not in the path.',
  })
  @Refuses('not-found', 'too-many-consents', ...PEER_CALL_PROBLEMS)
  decideByQuery(
    @CurrentDevice() caller: Caller,
    @Query({ schema: ByUser }) { user }: ByUser,
    @Body({ schema: DecideConsent }) body: DecideConsent,
  ) {
    return this.consents.decide(caller.user, user, body)
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'cancelConsentByQuery',
    summary: 'Take a request for consent back; the user is named in the query',
    description: 'As cancelConsent, and through every proxy.',
  })
  @Refuses('not-found', ...PEER_CALL_PROBLEMS)
  @ReturnsNothing('The request is withdrawn.')
  cancelByQuery(@CurrentDevice() caller: Caller, @Query({ schema: CancelConsentByQuery }) { user, room }: CancelConsentByQuery) {
    return this.consents.cancel(caller.user, user, room)
  }
}
