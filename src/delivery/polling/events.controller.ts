import { Body, Controller, Get, HttpCode, Post, Query, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody, Prioritized } from '../../platform/http/route-options.js'
import { Acknowledgements } from './acknowledgements.js'
import { AcknowledgeEvents, Events, EventsAcknowledged, EventsQuery } from './events.dto.js'
import { Polling } from './polling.js'

@ApiTags('delivery')
@Controller('v1/events')
export class EventsController {
  constructor(
    private readonly polling: Polling,
    private readonly acknowledgements: Acknowledgements,
  ) {}

  @Get()
  @Returns(Events, { description: 'What is waiting for this device; empty lists if nothing is.' })
  @ApiOperation({
    operationId: 'pollEvents',
    summary: 'Fetch what this device has not acknowledged',
    description:
      'The inbox first, then the entries of each group in the order of its log. With `wait`, answers as soon as there is ' +
      'something (long poll). Everything comes again until it is acknowledged. Devices that can should use the stream, ' +
      '`GET /v1/stream` (asyncapi.yaml).',
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
  @TakesBody('large')
  @Prioritized('last')
  @HttpCode(200)
  @Returns(EventsAcknowledged, { description: 'How much was acknowledged by this request.' })
  @ApiOperation({
    operationId: 'acknowledgeEvents',
    summary: 'Acknowledge events',
    description:
      'When they are stored on the device, and not before. `acks` are cumulative per group. The log of a group that this ' +
      'device joined by a Welcome begins when the Welcome is acknowledged. Written before it is answered; repeating it is ' +
      'harmless.',
  })
  @Refuses('ack-ahead')
  acknowledge(@CurrentDevice() caller: Caller, @Body({ schema: AcknowledgeEvents }) body: AcknowledgeEvents) {
    return this.acknowledgements.acknowledge(caller, body)
  }
}
