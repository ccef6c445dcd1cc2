import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { Homes } from '../home/homes.js'
import { ReportCommit, ReportCounted } from './reset.dto.js'
import { ResetService } from './reset.service.js'

@ApiTags('groups')
@Controller('v1/groups/:groupId')
export class ResetController {
  constructor(
    private readonly homes: Homes,
    private readonly resets: ResetService,
  ) {}

  /** A Commit that this client cannot process. */
  @Post('reports')
  @Returns(ReportCounted)
  async report(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: ReportCommit }) body: ReportCommit,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'report', body) : this.resets.report(caller, groupId, body)
  }

  /** Freezes the group for good; create its successor with `successor_of`. */
  @Post('reset')
  @HttpCode(204)
  async reset(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'reset') : this.resets.reset(caller, groupId)
  }
}
