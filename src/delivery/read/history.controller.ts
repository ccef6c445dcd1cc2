import { Controller, Get, Param, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { History } from './history.service.js'
import { LogPage, LogQuery } from './log.dto.js'

@ApiTags('Delivery')
@Controller('v1/groups/:groupId/log')
export class HistoryController {
  constructor(private readonly history: History) {}

  @Get()
  @Returns(LogPage)
  @ApiOperation({
    summary: "Read a group's log",
    description: 'Cut to the time in which this device is, or was, a member; it moves no cursor. What was retired answers 409 `resync`.',
  })
  read(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: LogQuery }) query: LogQuery,
  ) {
    return this.history.read(caller, groupId, query)
  }
}
