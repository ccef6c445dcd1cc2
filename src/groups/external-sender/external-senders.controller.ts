import { Controller, Get } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { Returns } from '../../platform/http/returns.js'
import { ExternalSenderKeys } from './external-sender.dto.js'
import { ExternalSenders } from './external-senders.js'
import { describeKeys } from './describe-keys.js'

@ApiTags('groups')
@Controller('v1/external-senders')
export class ExternalSendersController {
  constructor(private readonly senders: ExternalSenders) {}

  /** This server's keys, for the external_senders extension of new groups: a group that lists one lets the server propose Removes. */
  @Get()
  @Returns(ExternalSenderKeys)
  async list() {
    return { external_senders: describeKeys(this.senders.identity, await this.senders.keys()) }
  }
}
