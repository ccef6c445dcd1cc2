import { Body, Controller, Get, HttpCode, Post, Query, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody, Prioritized } from '../../platform/http/route-options.js'
import { Acknowledgements } from './acknowledgements.service.js'
import { AcknowledgeEvents, Events, EventsAcknowledged, EventsQuery } from './events.dto.js'
import { Polling } from './polling.service.js'

@ApiTags('Delivery')
@Controller('v1/events')
export class EventsController {
  constructor(
    private readonly polling: Polling,
    private readonly acknowledgements: Acknowledgements,
  ) {}

  @Get()
  @Returns(Events)
  @ApiOperation({
    summary: 'Fetch what this device has not acknowledged',
    description:
      'With `wait`, answers as soon as there is something (long poll). Devices that can should use the stream, `GET /v1/stream`.',
  })
  events(
    @CurrentDevice() caller: Caller,
    @Query({ schema: EventsQuery }) query: EventsQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort())
    return this.polling.events(caller, query, gone.signal)
  }

  @Post('acks')
  @TakesBody('message')
  @Prioritized('last')
  @HttpCode(200)
  @Returns(EventsAcknowledged)
  @ApiOperation({ summary: 'Acknowledge events', description: 'Written before it is answered. Repeating it is harmless.' })
  acknowledge(@CurrentDevice() caller: Caller, @Body({ schema: AcknowledgeEvents }) body: AcknowledgeEvents) {
    return this.acknowledgements.acknowledge(caller, body)
  }
}
