import { Controller, Get, Headers, Param, Query } from '@nestjs/common'
import { ApiHeader, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { Homes } from '../home/homes.js'
import { AtEpoch, GroupInfoAt, TreeAt } from './info.dto.js'
import { InfoService } from './info.service.js'

@ApiTags('groups')
@Controller('v1/groups/:groupId')
@ApiHeader({ name: 'join-code', required: false, description: 'For whoever is not a member, where the policy asks for a code' })
export class InfoController {
  constructor(
    private readonly homes: Homes,
    private readonly info: InfoService,
  ) {}

  @Get('group-info')
  @Returns(GroupInfoAt)
  async groupInfo(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: AtEpoch }) query: AtEpoch,
    @Headers('join-code') code?: string,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    if (elsewhere) return elsewhere.perform(caller, 'group-info', { ...query, join_code: code })
    return this.info.groupInfo(caller, groupId, query.epoch, code)
  }

  /** Public mode: rebuilt from the log, also for an epoch that has passed. */
  @Get('tree')
  @Returns(TreeAt)
  async tree(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: AtEpoch }) query: AtEpoch,
    @Headers('join-code') code?: string,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    if (elsewhere) return elsewhere.perform(caller, 'tree', { ...query, join_code: code })
    return this.info.tree(caller, groupId, query.epoch, code)
  }
}
