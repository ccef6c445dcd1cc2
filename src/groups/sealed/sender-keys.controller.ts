import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { GroupOperations } from '../operations/group-operations.js'
import { PublishSenderKey, SenderKeys, SenderKeysAt } from './sealed.dto.js'

@ApiTags('sealed sender')
@Controller('v1/groups/:groupId/sender-keys')
export class SenderKeysController {
  constructor(private readonly operations: GroupOperations) {}

  @Post()
  @HttpCode(200)
  @Returns(SenderKeys, { description: 'The keys of the epoch, this one among them.' })
  @ApiOperation({
    operationId: 'publishSenderKey',
    summary: 'Say what the sender key of an epoch is',
    description:
      'Sealed sender needs it: the server checks by it that a post without a sender is of a member. Each member derives it ' +
      'from the MLS exporter (docs/sealed-sender.md). One member is enough. Publish in every epoch, not when about to ' +
      'post.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'stale-epoch', 'epoch-ahead', 'sender-key-taken', 'possession-unproved', 'group-frozen')
  publish(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: PublishSenderKey }) body: PublishSenderKey,
  ) {
    return this.operations.call('publish-sender-key', caller, groupId, body)
  }

  @Get()
  @Returns(SenderKeys, { description: 'The keys, one for each user at most.' })
  @ApiOperation({
    operationId: 'listSenderKeys',
    summary: 'What members say the sender key of an epoch is',
    description: 'Without `epoch`, of the current one. Compare them with the key that you derive.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'stale-epoch', 'epoch-ahead')
  read(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: SenderKeysAt }) { epoch }: SenderKeysAt,
  ) {
    return this.operations.call('sender-keys', caller, groupId, { epoch })
  }
}
