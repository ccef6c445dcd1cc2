import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { Homes } from '../home/homes.js'
import { PublishSenderKey, SenderKeys, SenderKeysAt } from './sealed.dto.js'
import { SenderKeysService } from './sender-keys.service.js'

@ApiTags('sealed sender')
@Controller('v1/groups/:groupId/sender-keys')
export class SenderKeysController {
  constructor(
    private readonly homes: Homes,
    private readonly keys: SenderKeysService,
  ) {}

  @Post()
  @HttpCode(200)
  @Returns(SenderKeys)
  @ApiOperation({
    summary: 'Say what the sender key of an epoch is',
    description: 'One member is enough. Do it in every epoch, not when about to post.',
  })
  async publish(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: PublishSenderKey }) body: PublishSenderKey,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'publish-sender-key', body) : this.keys.publish(caller, groupId, body)
  }

  @Get()
  @Returns(SenderKeys)
  @ApiOperation({ summary: 'What members say the sender key of an epoch is' })
  async read(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: SenderKeysAt }) { epoch }: SenderKeysAt,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'sender-keys', { epoch }) : this.keys.read(caller, groupId, epoch)
  }
}
