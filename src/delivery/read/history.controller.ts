import { Controller, Get, Param, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { History } from './history.js'
import { LogPage, LogQuery } from './log.dto.js'
import { VanishedEntries, VanishedQuery } from './vanished.dto.js'

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

  @Get('vanished')
  @Returns(VanishedEntries, { description: 'A page of what is known of them.' })
  @ApiOperation({
    operationId: 'readVanished',
    summary: 'Read which entries are gone with the last new incarnation',
    description:
      'A hub that was restored may have lost entries that members have read: it goes on in a new incarnation, and the inbox says `resync`. ' +
      'For groups of other providers their server remembers for 30 days which entries these were, from where this device came in. ' +
      'Of a group of this server it knows none. Continue with `from_seq` = `next_seq`.',
  })
  @Refuses('not-found', 'group-deleted', 'not-a-member', 'not-delivered')
  vanished(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: VanishedQuery }) query: VanishedQuery,
  ) {
    return this.history.vanished(caller, groupId, query)
  }
}
