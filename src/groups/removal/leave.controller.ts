import { Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { GroupOperations } from '../operations/group-operations.js'
import { RemovalsService } from './removals.service.js'

export const LeaveAccepted = z
  .object({
    proposed: z
      .boolean()
      .meta({ description: 'A Remove is in the log; otherwise the server notifies the members that this device wants to leave' }),
  })
  .meta({ id: 'LeaveAccepted' })

@ApiTags('groups')
@Controller('v1/groups/:groupId/leave')
export class LeaveController {
  constructor(
    private readonly operations: GroupOperations,
    private readonly removals: RemovalsService,
  ) {}

  @Post()
  @HttpCode(202)
  @Returns(LeaveAccepted, { description: 'The wish is noted. `proposed` says whether a Remove is in the log.' })
  @ApiOperation({
    operationId: 'leaveGroup',
    summary: 'Leave a group',
    description:
      'Nobody can commit their own Remove (RFC 9420 §12.4): the server proposes it in a public group that lists its key, elsewhere it tells the ' +
      'members, and another member commits it. Delivery ends at once: this device is sent nothing behind its leave, and can post nothing. An ' +
      'external Commit of its own takes the leave back.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'group-frozen')
  async leave(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    const accepted = await this.operations.call('leave', caller, groupId, {})
    await this.removals.leaveReplica(caller, groupId)
    return accepted
  }
}
