import { Controller, Delete, Param } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId, RowId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { DeleteService } from './delete.service.js'

export const GroupDeletion = z
  .object({ deleted_entries: RowId.meta({ description: 'Entries of the log that are gone' }) })
  .meta({ id: 'GroupDeletion' })

@ApiTags('groups')
@Controller('v1/groups')
export class DeleteController {
  constructor(private readonly deletions: DeleteService) {}

  @Delete(':groupId')
  @Returns(GroupDeletion)
  delete(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    return this.deletions.delete(caller, groupId)
  }
}
