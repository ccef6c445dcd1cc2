import { Body, Controller, Delete, HttpCode, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsNothing } from '../../platform/http/returns.js'
import { GroupOperations } from '../operations/group-operations.js'
import { ReportCommit, ReportCounted } from './reset.dto.js'

@ApiTags('groups')
@Controller('v1/groups/:groupId')
export class ResetController {
  constructor(private readonly operations: GroupOperations) {}

  @Post('reports')
  @Returns(ReportCounted, { description: 'The report is counted; so are earlier ones of other users.' })
  @ApiOperation({
    operationId: 'reportCommit',
    summary: 'Report a Commit that this device cannot process',
    description:
      'A server cannot check all of a Commit. When enough users report the same one (`needed`), any of them can reset the group.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'policy')
  report(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: ReportCommit }) body: ReportCommit,
  ) {
    return this.operations.call('report', caller, groupId, body)
  }

  @Post('reset')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'resetGroup',
    summary: 'Freeze a group that is broken',
    description:
      'For admins, or after enough reports of one Commit: by more than half of the users who were members when it was accepted, and as many as ' +
      'the policy says. The group takes no more entries; create its successor with `successor_of`. An admin can also reset a group that a ReInit ' +
      'ended and that has no successor: the id that it announced does not bind any more.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'policy', 'group-frozen')
  @ReturnsNothing('The group is frozen.')
  reset(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    return this.operations.call('reset', caller, groupId, {})
  }

  @Delete('reset')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'undoReset',
    summary: 'Let a group go on that was reset',
    description:
      'For admins, also of the successor if there is one, for as long as its place is reserved. The group goes on in the epoch in which it stopped, and is current in its room again; ' +
      'a successor that came meanwhile is frozen, with this group as its successor.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden', 'reset-final')
  @ReturnsNothing('The group takes entries.')
  undoReset(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    return this.operations.call('undo-reset', caller, groupId, {})
  }
}
