import { Controller, Get, Param, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, HUB_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { Group } from '../groups.dto.js'
import { GroupOperations } from '../operations/group-operations.js'
import { ByRoom, RoomReference, ListGroups, MyGroups, Room } from './rooms.dto.js'
import { RoomsService } from './rooms.service.js'

@ApiTags('groups')
@Controller('v1')
export class RoomsController {
  constructor(
    private readonly operations: GroupOperations,
    private readonly rooms: RoomsService,
  ) {}

  @Get('groups')
  @Returns(MyGroups, { description: 'A page of groups.' })
  @ApiOperation({
    operationId: 'listGroups',
    summary: 'The groups of this device',
    description: 'Those in which it is a member now. Continue with `after` = `next`.',
  })
  mine(@CurrentDevice() caller: Caller, @Query({ schema: ListGroups }) page: ListGroups) {
    return this.rooms.mine(caller, page)
  }

  @Get('groups/:groupId')
  @Returns(Group, { description: 'The group.' })
  @ApiOperation({
    operationId: 'getGroup',
    summary: 'A group as this device sees it',
    description: 'Its epoch, the head of its log, and whether it is frozen.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS)
  async group(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    const group = await this.operations.call('group', caller, groupId, {})
    return this.rooms.asDelivered(caller, groupId, group as Group)
  }

  @Get('rooms/:room')
  @Returns(Room, { description: 'The current group.' })
  @ApiOperation({
    operationId: 'getRoom',
    summary: 'Which group is current in a room',
    description:
      'A room outlives its groups: after a reset or a ReInit it has another one. Rooms of other providers are asked for there: ' +
      'join such a group within ten minutes, or ask again, as another group may have its address then. ' +
      'Behind a proxy that decodes `%2F`, use getRoomByQuery.',
  })
  @Refuses('not-found', ...HUB_PROBLEMS)
  room(@CurrentDevice() caller: Caller, @Param('room', { schema: RoomReference }) room: string) {
    return this.rooms.room(caller, room)
  }

  @Get('rooms')
  @Returns(Room, { description: 'The current group.' })
  @ApiOperation({
    operationId: 'getRoomByQuery',
    summary: 'Which group is current in a room that is named in the query',
    description: 'As getRoom, and through every proxy: the slashes in the name of another provider’s room are not in the path.',
  })
  @Refuses('not-found', ...HUB_PROBLEMS)
  getRoomByQuery(@CurrentDevice() caller: Caller, @Query({ schema: ByRoom }) { room }: ByRoom) {
    return this.rooms.room(caller, room)
  }
}
