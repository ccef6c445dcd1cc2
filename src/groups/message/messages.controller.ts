import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { AcceptsMessage, TakesBody } from '../../platform/http/route-options.js'
import { Accepted } from '../groups.dto.js'
import { Homes } from '../home/homes.js'
import { SubmitMessage } from './message.dto.js'
import { MessagesService } from './messages.service.js'

@ApiTags('groups')
@Controller('v1/groups/:groupId/messages')
export class MessagesController {
  constructor(
    private readonly homes: Homes,
    private readonly messages: MessagesService,
  ) {}

  /** JSON, CBOR, or the MLSMessage itself as message/mls. */
  @Post()
  @TakesBody('message')
  @HttpCode(200)
  @AcceptsMessage('message')
  @Returns(Accepted)
  async submit(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: SubmitMessage }) body: SubmitMessage,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.submitMessage(caller, body.message) : this.messages.submit(caller, groupId, body.message)
  }
}
