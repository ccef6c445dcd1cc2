import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsNothing } from '../../platform/http/returns.js'
import { GroupOperations } from '../operations/group-operations.js'
import { ChangePolicy, Policy } from './policy.dto.js'
import { ByUser, UserReference } from './uris.js'

@ApiTags('policy')
@Controller('v1/groups/:groupId')
export class PolicyController {
  constructor(private readonly operations: GroupOperations) {}

  @Get('policy')
  @Returns(Policy, { description: 'The policy.' })
  @ApiOperation({
    operationId: 'getPolicy',
    summary: 'Who may do what in a group',
    description: 'For members. `banned` is shown to admins.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS)
  read(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId) {
    return this.operations.call('policy', caller, groupId, {})
  }

  @Put('policy')
  @Returns(Policy, { description: 'The policy as it is now.' })
  @ApiOperation({
    operationId: 'changePolicy',
    summary: 'Change the policy',
    description: 'For admins. What is left out stays. With `version`, only if the policy is still that one.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden', 'policy', 'policy-changed')
  change(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: ChangePolicy }) body: ChangePolicy,
  ) {
    return this.operations.call('change-policy', caller, groupId, body)
  }

  @Put('admins/:user')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'makeAdmin',
    summary: 'Make a user an admin',
    description:
      'For admins; the user has to be in the group, and not banned. Rights end when the last device of the user is out, or the account is disabled. Behind a proxy that decodes `%2F`, use makeAdminByQuery.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden', 'policy')
  @ReturnsNothing('The user is an admin. Repeating the request is harmless.')
  makeAdmin(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    return this.operations.call('make-admin', caller, groupId, { user })
  }

  @Delete('admins/:user')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'dismissAdmin',
    summary: 'Take admin rights from a user',
    description: 'For admins, also from oneself. One admin has to stay. Behind a proxy that decodes `%2F`, use dismissAdminByQuery.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden', 'last-admin')
  @ReturnsNothing('The user is not an admin.')
  dismissAdmin(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    return this.operations.call('dismiss-admin', caller, groupId, { user })
  }

  @Put('bans/:user')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'banUser',
    summary: 'Ban a user',
    description:
      'For admins. The user’s devices are neither added nor join. Those that are in the group stay members until somebody ' +
      'commits their Removes. Behind a proxy that decodes `%2F`, use banUserByQuery.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden', 'last-admin')
  @ReturnsNothing('The user is banned. Repeating the request is harmless.')
  ban(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    return this.operations.call('ban', caller, groupId, { user })
  }

  @Delete('bans/:user')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'unbanUser',
    summary: 'Lift a ban',
    description: 'For admins. A user who was removed has to be added again. Behind a proxy that decodes `%2F`, use unbanUserByQuery.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden')
  @ReturnsNothing('The user is not banned.')
  unban(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('user', { schema: UserReference }) user: string,
  ) {
    return this.operations.call('unban', caller, groupId, { user })
  }

  @Put('admins')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'makeAdminByQuery',
    summary: 'Make a user an admin, named in the query',
    description: 'As makeAdmin, and through every proxy: the slashes in the name of another provider’s user are not in the path.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden', 'policy')
  @ReturnsNothing('The user is an admin. Repeating the request is harmless.')
  makeAdminByQuery(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: ByUser }) { user }: ByUser,
  ) {
    return this.makeAdmin(caller, groupId, user)
  }

  @Delete('admins')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'dismissAdminByQuery',
    summary: 'Take admin rights from a user who is named in the query',
    description: 'As dismissAdmin, and through every proxy.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden', 'last-admin')
  @ReturnsNothing('The user is not an admin.')
  dismissAdminByQuery(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: ByUser }) { user }: ByUser,
  ) {
    return this.dismissAdmin(caller, groupId, user)
  }

  @Put('bans')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'banUserByQuery',
    summary: 'Ban a user who is named in the query',
    description: 'As banUser, and through every proxy.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden', 'last-admin')
  @ReturnsNothing('The user is banned. Repeating the request is harmless.')
  banUserByQuery(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: ByUser }) { user }: ByUser,
  ) {
    return this.ban(caller, groupId, user)
  }

  @Delete('bans')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'unbanUserByQuery',
    summary: 'Lift the ban of a user who is named in the query',
    description: 'As unbanUser, and through every proxy.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'forbidden')
  @ReturnsNothing('The user is not banned.')
  unbanUserByQuery(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Query({ schema: ByUser }) { user }: ByUser,
  ) {
    return this.unban(caller, groupId, user)
  }
}
