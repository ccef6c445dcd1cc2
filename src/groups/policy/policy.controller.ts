import { Body, Controller, Delete, Get, HttpCode, Param, Put } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { ChangePolicy, Policy } from './policy.dto.js'
import { PolicyService } from './policy.service.js'
import { UserReference } from './uris.js'

@ApiTags('groups')
@Controller('v1/groups/:groupId')
export class PolicyController {
  constructor(private readonly policies: PolicyService) {}

  @Get('policy')
  @Returns(Policy)
  read(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    return this.policies.read(caller, groupId)
  }

  @Put('policy')
  @Returns(Policy)
  change(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: ChangePolicy }) body: ChangePolicy,
  ) {
    return this.policies.change(caller, groupId, body)
  }

  @Put('admins/:user')
  @HttpCode(204)
  makeAdmin(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    return this.policies.makeAdmin(caller, groupId, user)
  }

  @Delete('admins/:user')
  @HttpCode(204)
  dismissAdmin(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    return this.policies.dismissAdmin(caller, groupId, user)
  }

  @Put('bans/:user')
  @HttpCode(204)
  ban(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    return this.policies.ban(caller, groupId, user)
  }

  @Delete('bans/:user')
  @HttpCode(204)
  unban(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    return this.policies.unban(caller, groupId, user)
  }
}
