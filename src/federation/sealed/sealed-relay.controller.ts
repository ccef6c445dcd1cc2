import { Controller, Get, Header, Headers, HttpCode, Param, Post, Req, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ProviderDomain } from '../../authentication/identifiers.dto.js'
import { Anonymous } from '../../authentication/session/anonymous.js'
import { BodyBytes, type TypedBytes } from '../../platform/http/body-bytes.js'
import { answerWith } from '../../platform/http/public-document.js'
import { Prioritized, TakesBody, TakesBytes, Unlogged } from '../../platform/http/route-options.js'
import { SealedRelay } from './sealed-relay.js'

@ApiTags('sealed sender')
@Controller('v1/sealed-relay/:hub')
export class SealedRelayController {
  constructor(private readonly relay: SealedRelay) {}

  @Get('keys')
  @Anonymous()
  @Unlogged()
  @ApiOperation({ summary: 'The keys of a hub’s gateway (RFC 9458 §3)', description: 'The same copy for everyone.' })
  async keys(
    @Param('hub', { schema: ProviderDomain }) hub: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Buffer | undefined> {
    // Kept, but asked for each time: whoever is refused for an old key gets the new one.
    return answerWith(await this.relay.keys(hub), 'public, no-cache', request, reply)
  }

  /** Takes one of this server’s own send tokens, and no session: it shall not know whom it relays for. */
  @Post()
  @TakesBody('message')
  @Prioritized('post')
  @Anonymous()
  @Unlogged()
  @HttpCode(200)
  @TakesBytes('message/ohttp-req')
  @Header('content-type', 'message/ohttp-res')
  @ApiOperation({ summary: 'Pass an envelope on to a hub (RFC 9458, Oblivious Relay)' })
  async pass(
    @Param('hub', { schema: ProviderDomain }) hub: string,
    @Headers('authorization') authorization: string | undefined,
    @BodyBytes() { bytes }: TypedBytes,
  ): Promise<Buffer> {
    return Buffer.from(await this.relay.pass(hub, authorization, bytes))
  }
}
