import { Body, Controller, HttpCode, Inject, Param, Put } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { Pool } from 'pg'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import { Hints } from '../../platform/hints/hints.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Refuses } from '../../platform/http/refuses.js'
import { ReturnsNothing } from '../../platform/http/returns.js'
import { POOL } from '../../platform/postgres/sql.js'
import { NotAMember } from '../groups.problems.js'
import { GroupLimits } from '../limits/group-limits.js'
import { setDelivery } from './delivery-choice.repository.js'
import { ChooseDelivery } from './delivery.dto.js'

/** What a device wants to have of a group. Its own server delivers, so no hub hears of it. */
@ApiTags('groups')
@Controller('v1/groups/:groupId/delivery')
export class DeliveryChoiceController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly limits: GroupLimits,
    private readonly hints: Hints,
  ) {}

  @Put()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'chooseDelivery',
    summary: 'Mute or block a group on this device',
    description:
      'For members, and for this device alone; the group does not learn of it. `muted`: entries are neither sent nor kept for this device longer ' +
      'than for others; what the log has can be read. `blocked`: nothing is sent or can be read, no Welcome either. Both hold when the device is ' +
      'removed and added again, and for successors of the group. Back at `all`, entries are sent from where the device was, as far as they are ' +
      'kept; an inbox item `resync` says that it has to join again.',
  })
  @Refuses('not-found', 'group-deleted', 'not-a-member')
  @ReturnsNothing('It holds. Repeating the request is harmless.')
  async choose(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: ChooseDelivery }) { delivery }: ChooseDelivery,
  ): Promise<void> {
    await this.limits.take(caller, 'choices')
    const outcome = await setDelivery(this.pool, groupId, caller, delivery)
    if (outcome === 'unknown') throw new UnknownGroup()
    if (outcome === 'deleted') throw new GroupDeleted()
    if (outcome === 'not-a-member') throw new NotAMember()
    this.hints.publish([{ kind: 'inbox', deviceId: caller.deviceId }])
  }
}
