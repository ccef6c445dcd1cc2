import { Controller, Get, Header, Headers, HttpCode, Param, Post, Req, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ProviderDomain } from '../../authentication/identifiers.dto.js'
import { Anonymous } from '../../authentication/session/caller.js'
import { BodyBytes, Prioritized, TakesBody, TakesBytes, Unlogged, type TypedBytes } from '../../platform/http/route-options.js'
import { answerWith } from '../../platform/http/public-document.js'
import { HUB_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { ReturnsBytes, ReturnsUnchanged } from '../../platform/http/returns.js'
import { SealedRelay } from './sealed-relay.js'

/** Sealed posts to other hubs, on behalf of this server's users. */
@ApiTags('sealed sender')
@Controller('v1/sealed-relay/:hub')
export class SealedRelayController {
  constructor(private readonly relay: SealedRelay) {}

  @Get('keys')
  @Anonymous()
  @Unlogged()
  @ApiOperation({
    operationId: 'getRelayKeys',
    summary: 'The keys of the gateway of a hub',
    description:
      'Key configurations of Oblivious HTTP (RFC 9458 §3), the same copy for everyone. Only of hubs whose rooms are followed here.',
  })
  @Refuses('not-found', ...HUB_PROBLEMS)
  @ReturnsBytes('The key configurations.', 'application/ohttp-keys')
  @ReturnsUnchanged()
  async keys(
    @Param('hub', { schema: ProviderDomain }) hub: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Buffer | undefined> {
    // Kept, but asked for each time: a client that is refused for an old key gets the new one.
    return answerWith(await this.relay.keys(hub), 'public, no-cache', request, reply)
  }

  @Post()
  @TakesBody('message')
  @Prioritized('post')
  @Anonymous()
  @Unlogged()
  @HttpCode(200)
  @TakesBytes('message/ohttp-req')
  @Header('content-type', 'message/ohttp-res')
  @ApiOperation({
    operationId: 'relaySealedMessage',
    summary: 'Pass an envelope on to a hub',
    description:
      'An encapsulated request (RFC 9458 §4) with a post to the hub in it. Authorization has a send token of this server, ' +
      'which is spent for the relaying whatever the hub answers. The hub’s own answer is inside the encapsulated response.',
  })
  @Refuses('not-found', 'token-required', 'token-spent', ...HUB_PROBLEMS)
  @ReturnsBytes('An encapsulated response of the hub.', 'message/ohttp-res')
  async pass(
    @Param('hub', { schema: ProviderDomain }) hub: string,
    @Headers('authorization') authorization: string | undefined,
    @BodyBytes() { bytes }: TypedBytes,
  ): Promise<Buffer> {
    return Buffer.from(await this.relay.pass(hub, authorization, bytes))
  }
}
