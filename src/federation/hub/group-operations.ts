import { Injectable } from '@nestjs/common'
import { z } from 'zod'
import { DeleteService } from '../../groups/delete/delete.service.js'
import { InfoService } from '../../groups/info/info.service.js'
import { Removals } from '../../groups/removal/removals.service.js'
import { ReportCommit } from '../../groups/reset/reset.dto.js'
import { ResetService } from '../../groups/reset/reset.service.js'
import { RoomsService } from '../../groups/rooms/rooms.service.js'
import { Epoch } from '../../platform/http/bytes.js'
import { operation } from './operation.js'

const Nothing = z.object({})
const AtEpoch = z.object({ epoch: Epoch.optional(), join_code: z.string().max(128).optional() })

/** What becomes of a group, and what a member or joiner has to know of it. */
@Injectable()
export class GroupOperations {
  constructor(
    private readonly rooms: RoomsService,
    private readonly info: InfoService,
    private readonly removals: Removals,
    private readonly resets: ResetService,
    private readonly deletions: DeleteService,
  ) {}

  get all() {
    const { rooms, info, removals, resets, deletions } = this
    return {
      group: operation(Nothing, (caller, groupId) => rooms.group(caller, groupId)),
      'group-info': operation(AtEpoch, (caller, groupId, args) => info.groupInfo(caller, groupId, args.epoch, args.join_code)),
      tree: operation(AtEpoch, (caller, groupId, args) => info.tree(caller, groupId, args.epoch, args.join_code)),
      leave: operation(Nothing, (caller, groupId) => removals.leave(caller, groupId)),
      report: operation(ReportCommit, (caller, groupId, args) => resets.report(caller, groupId, args)),
      reset: operation(Nothing, (caller, groupId) => resets.reset(caller, groupId)),
      delete: operation(Nothing, (caller, groupId) => deletions.delete(caller, groupId)),
    }
  }
}
