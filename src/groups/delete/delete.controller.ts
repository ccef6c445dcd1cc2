import { Controller, Delete, Param } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId, RowId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { GroupOperations } from '../operations/group-operations.js'

export const GroupDeletion = z
  .object({ deleted_entries: RowId.meta({ description: 'Entries of the log that are gone' }) })
  .meta({ id: 'GroupDeletion' })

@ApiTags('groups')
@Controller('v1/groups')
export class DeleteController {
  constructor(private readonly operations: GroupOperations) {}

  @Delete(':groupId')
  @Returns(GroupDeletion, { description: 'The group is deleted.' })
  @ApiOperation({
    operationId: 'deleteGroup',
    summary: 'Delete a group',
    description:
      'For admins. From then on nobody can read its ciphertexts, Welcomes, GroupInfo and trees; they are deleted at once, of a long log a part ' +
      'at a time in the minutes that follow. Members get `group.deleted`. ' +
      'The id stays taken.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden')
  delete(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    return this.operations.call('delete', caller, groupId, {})
  }
}
