import { Controller, Get, Headers, Param, Query } from '@nestjs/common'
import { ApiHeader, ApiTags, ApiOperation } from '@nestjs/swagger'
import { z } from 'zod'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId, Epoch, EpochText, MlsBytes } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { Mode } from '../groups.dto.js'
import { GroupOperations } from '../operations/group-operations.js'

const AtEpoch = z.strictObject({
  epoch: EpochText.optional().meta({ description: 'Default: the current epoch' }),
})
type AtEpoch = z.infer<typeof AtEpoch>

const GroupInfoAt = z
  .object({
    epoch: Epoch,
    mode: Mode.optional().meta({
      description: 'How members frame their handshakes, which the GroupInfo does not say. A hub of an earlier release leaves it out',
    }),
    incarnation: z.int().positive().optional().meta({
      description: 'What an external Commit made from it names. A hub of an earlier release leaves it out',
    }),
    group_info: MlsBytes().meta({ description: 'MLSMessage' }),
  })
  .meta({ id: 'GroupInfoAt' })

const TreeAt = z
  .object({
    epoch: Epoch,
    ratchet_tree: MlsBytes().meta({ description: 'optional<Node> ratchet_tree<V> of RFC 9420 §12.4.3.3' }),
  })
  .meta({ id: 'TreeAt' })

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
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'policy', 'epoch-ahead')
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
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'policy', 'epoch-ahead')
  tree(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: AtEpoch }) query: AtEpoch,
    @Headers('join-code') code?: string,
  ) {
    return this.operations.call('tree', caller, groupId, { ...query, join_code: code })
  }
}
