import { Controller, Get, Param, Query } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { Group } from '../groups.dto.js'
import { Homes } from '../home/homes.js'
import { RoomReference } from './room-reference.js'
import { ListGroups, MyGroups, Room } from './rooms.dto.js'
import { RoomsService } from './rooms.service.js'

@ApiTags('groups')
@Controller('v1')
export class RoomsController {
  constructor(
    private readonly homes: Homes,
    private readonly rooms: RoomsService,
  ) {}

  @Get('groups')
  @Returns(MyGroups)
  mine(@CurrentDevice() caller: Caller, @Query({ schema: ListGroups }) page: ListGroups) {
    return this.rooms.mine(caller, page)
  }

  @Get('groups/:groupId')
  @Returns(Group)
  async group(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'group') : this.rooms.group(caller, groupId)
  }

  @Get('rooms/:room')
  @Returns(Room)
  room(@CurrentDevice() caller: Caller, @Param('room', { schema: RoomReference }) room: string) {
    return this.rooms.room(caller, room)
  }
}
