import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { AcceptsMessage, TakesBody } from '../../platform/http/route-options.js'
import { Accepted, SubmitMessage } from '../groups.dto.js'
import { GroupOperations } from '../operations/group-operations.js'

@ApiTags('messages')
@Controller('v1/groups/:groupId/messages')
export class MessagesController {
  constructor(private readonly operations: GroupOperations) {}

  @Post()
  @TakesBody('message')
  @HttpCode(200)
  @AcceptsMessage('message')
  @Returns(Accepted, { description: 'Accepted: it is an entry of the log.' })
  @ApiOperation({
    operationId: 'postMessage',
    summary: 'Post an application message',
    description:
      'One MLSMessage with a PrivateMessage of content type application (RFC 9420 §6.3), in JSON, CBOR or as it is ' +
      '(message/mls). Every member gets it from the log, the sender too. Messages of a few past epochs are taken, but of ' +
      'none from before the last removal. Retries: the same bytes get the original answer for 24 hours.',
  })
  @Refuses(
    ...GROUP_ACCESS_PROBLEMS,
    'policy',
    'stale-epoch',
    'incarnation-changed',
    'epoch-ahead',
    'group-frozen',
    'storage-full',
    'undecodable',
  )
  submit(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: SubmitMessage }) body: SubmitMessage,
  ) {
    return this.operations.call('message', caller, groupId, body)
  }
}
