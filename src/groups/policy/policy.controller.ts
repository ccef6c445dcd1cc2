import { Body, Controller, Delete, Get, HttpCode, Param, Put } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { Homes } from '../home/homes.js'
import { ChangePolicy, Policy } from './policy.dto.js'
import { PolicyService } from './policy.service.js'
import { UserReference } from './uris.js'

@ApiTags('groups')
@Controller('v1/groups/:groupId')
export class PolicyController {
  constructor(
    private readonly homes: Homes,
    private readonly policies: PolicyService,
  ) {}

  @Get('policy')
  @Returns(Policy)
  async read(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'policy') : this.policies.read(caller, groupId)
  }

  @Put('policy')
  @Returns(Policy)
  async change(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: ChangePolicy }) body: ChangePolicy,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'change-policy', body) : this.policies.change(caller, groupId, body)
  }

  @Put('admins/:user')
  @HttpCode(204)
  async makeAdmin(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'make-admin', { user }) : this.policies.makeAdmin(caller, groupId, user)
  }

  @Delete('admins/:user')
  @HttpCode(204)
  async dismissAdmin(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'dismiss-admin', { user }) : this.policies.dismissAdmin(caller, groupId, user)
  }

  @Put('bans/:user')
  @HttpCode(204)
  async ban(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'ban', { user }) : this.policies.ban(caller, groupId, user)
  }

  @Delete('bans/:user')
  @HttpCode(204)
  async unban(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.perform(caller, 'unban', { user }) : this.policies.unban(caller, groupId, user)
  }
}
