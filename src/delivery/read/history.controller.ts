import { Controller, Get, Param, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { History } from './history.js'
import { LogPage, LogQuery } from './log.dto.js'

@ApiTags('delivery')
@Controller('v1/groups/:groupId/log')
export class HistoryController {
  constructor(private readonly history: History) {}

  @Get()
  @Returns(LogPage, { description: 'A page of entries.' })
  @ApiOperation({
    operationId: 'readLog',
    summary: 'Read the log of a group',
    description:
      'Cut to the time in which this device is, or was, a member. It moves no cursor and acknowledges nothing. Continue with ' +
      '`from_seq` = `next_seq`.',
  })
  @Refuses('not-found', 'group-deleted', 'not-a-member', 'not-delivered', 'resync')
  read(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: LogQuery }) query: LogQuery,
  ) {
    return this.history.read(caller, groupId, query)
  }
}
