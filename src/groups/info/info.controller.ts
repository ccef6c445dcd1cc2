import { Controller, Get, Headers, Param, Query } from '@nestjs/common'
import { ApiHeader, ApiTags, ApiOperation } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { IN_GROUP, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { GroupOperations } from '../operations/group-operations.js'
import { AtEpoch, GroupInfoAt, TreeAt } from './info.dto.js'

const JOIN_CODE = { name: 'join-code', required: false, description: 'For those who are not members, where the policy asks for a code' }

@ApiTags('handshakes')
@Controller('v1/groups/:groupId')
export class InfoController {
  constructor(private readonly operations: GroupOperations) {}

  @Get('group-info')
  @Returns(GroupInfoAt, { description: 'A GroupInfo, without the tree.' })
  @ApiOperation({
    operationId: 'getGroupInfo',
    summary: 'The GroupInfo of an epoch',
    description: 'For an external join: members always, others where the policy lets them join (`join-code` if it asks for a code).',
  })
  @ApiHeader(JOIN_CODE)
  @Refuses(...IN_GROUP, 'policy', 'epoch-ahead')
  groupInfo(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: AtEpoch }) query: AtEpoch,
    @Headers('join-code') code?: string,
  ) {
    return this.operations.call('group-info', caller, groupId, { ...query, join_code: code })
  }

  @Get('tree')
  @Returns(TreeAt, { description: 'The tree.' })
  @ApiOperation({
    operationId: 'getTree',
    summary: 'The ratchet tree of an epoch',
    description: 'To join by a Welcome or an external Commit. In public mode it is rebuilt from the log, also for epochs that have passed.',
  })
  @ApiHeader(JOIN_CODE)
  @Refuses(...IN_GROUP, 'policy', 'epoch-ahead')
  tree(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: AtEpoch }) query: AtEpoch,
    @Headers('join-code') code?: string,
  ) {
    return this.operations.call('tree', caller, groupId, { ...query, join_code: code })
  }
}
