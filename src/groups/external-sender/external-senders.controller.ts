import { Controller, Get } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { Returns } from '../../platform/http/returns.js'
import { describeKeys, ExternalSenderKeys } from './external-sender.dto.js'
import { ExternalSenders } from './external-senders.js'

@ApiTags('groups')
@Controller('v1/external-senders')
export class ExternalSendersController {
  constructor(private readonly senders: ExternalSenders) {}

  @Get()
  @Returns(ExternalSenderKeys, { description: 'One key per signature scheme.' })
  @ApiOperation({
    operationId: 'listExternalSenders',
    summary: 'The keys by which this server proposes',
    description:
      'For the external_senders extension of new groups (RFC 9420 §12.1.8.1): a group that lists one lets the server ' +
      'propose the removal of devices that leave or are revoked.',
  })
  async list() {
    return { external_senders: describeKeys(this.senders.identity, await this.senders.keys()) }
  }
}
