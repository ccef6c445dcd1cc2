import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { Pool } from 'pg'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { devicesOfUser } from '../../authentication/directory/directory.repository.js'
import { UnknownGroup } from '../../delivery/delivery.problems.js'
import { Hints } from '../../platform/hints/hints.js'
import { GroupId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns, ReturnsNothing } from '../../platform/http/returns.js'
import { POOL } from '../../platform/postgres/sql.js'
import { GroupLimits } from '../limits/group-limits.js'
import { GroupOperations } from '../operations/group-operations.js'
import { RemovalsService } from '../removal/removals.service.js'
import { InvitationPolicy, Invitations, ListInvitations, SetInvitationPolicy } from './invitations.dto.js'
import { acceptInvitation, invitationsOf, invitedDevices, setAsked, wantsToBeAsked } from './invitations.repository.js'

/** Groups into which strangers have put a user who wants to be asked. */
@ApiTags('groups')
@Controller('v1/invitations')
export class InvitationsController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly limits: GroupLimits,
    private readonly operations: GroupOperations,
    private readonly removals: RemovalsService,
    private readonly hints: Hints,
  ) {}

  @Get()
  @Returns(Invitations, { description: 'A page of groups.' })
  @ApiOperation({
    operationId: 'listInvitations',
    summary: 'Groups that wait to be accepted',
    description:
      'Their Welcomes are in the inboxes of the devices that were added; nothing else is delivered, and nothing is kept for them. See ' +
      'setInvitationPolicy. Continue with `after` = `next`.',
  })
  async list(@CurrentDevice() caller: Caller, @Query({ schema: ListInvitations }) { after, limit }: ListInvitations): Promise<Invitations> {
    await this.limits.take(caller, 'reads')
    const rows = await invitationsOf(this.pool, caller.userId, after ?? 0n, limit)
    const last = rows.length === limit ? rows.at(-1) : undefined
    return {
      invitations: rows.map(({ groupId, roomId, mode, cipherSuite, clients }) => {
        return { group_id: groupId, room: roomId, mode, cipher_suite: cipherSuite, clients }
      }),
      ...(last ? { next: last.gid.toString() } : {}),
    }
  }

  @Post(':groupId/accept')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'acceptInvitation',
    summary: 'Accept a group',
    description:
      'For all devices of this user, and for those that are added later, until one of them leaves. Entries are sent from where each device came ' +
      'in, as far as they are kept; an inbox item `resync` says that the device has to join by itself.',
  })
  @Refuses('not-found')
  @ReturnsNothing('The group is delivered. Repeating the request is harmless.')
  async accept(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId): Promise<void> {
    await this.limits.take(caller, 'choices')
    if (!(await acceptInvitation(this.pool, groupId, caller.userId))) throw new UnknownGroup()
    const devices = await devicesOfUser(this.pool, caller.user)
    this.hints.publish(devices.map(({ deviceId }) => ({ kind: 'inbox', deviceId })))
  }

  @Delete(':groupId')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'declineInvitation',
    summary: 'Decline a group',
    description: 'All devices of this user that wait in it leave it, as by leaveGroup.',
  })
  @Refuses(...GROUP_ACCESS_PROBLEMS, 'group-frozen')
  @ReturnsNothing('Their leave is accepted; nothing of the group is delivered.')
  async decline(@CurrentDevice() caller: Caller, @Param('groupId', { schema: GroupId }) groupId: GroupId): Promise<void> {
    await this.limits.take(caller, 'choices')
    const waiting = await invitedDevices(this.pool, groupId, caller.userId)
    if (waiting.length === 0) throw new UnknownGroup()
    for (const device of waiting) {
      const own = { ...caller, ...device }
      await this.operations.call('leave', own, groupId, {})
      await this.removals.leaveReplica(own, groupId)
    }
  }
}

/** Whether a user wants to be asked. */
@ApiTags('accounts')
@Controller('v1/me/invitations')
export class InvitationPolicyController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly limits: GroupLimits,
  ) {}

  @Get()
  @Returns(InvitationPolicy, { description: 'The choice of this user.' })
  @ApiOperation({
    operationId: 'getInvitationPolicy',
    summary: 'Whether groups of strangers wait to be accepted',
    description: 'For all devices of this user.',
  })
  async read(@CurrentDevice() caller: Caller): Promise<InvitationPolicy> {
    return { invitations: (await wantsToBeAsked(this.pool, caller.userId)) ? 'ask' : 'open' }
  }

  @Put()
  @Returns(InvitationPolicy, { description: 'The choice as it is now.' })
  @ApiOperation({
    operationId: 'setInvitationPolicy',
    summary: 'Let groups of strangers wait, or not',
    description:
      'With `ask`, a group waits (listInvitations) if neither consent was granted to who adds a device (decideConsent) nor another device of this ' +
      'user is in it, or in the group that it succeeds. Groups in which the user is stay as they are, and so does what waits already.',
  })
  async change(
    @CurrentDevice() caller: Caller,
    @Body({ schema: SetInvitationPolicy }) body: SetInvitationPolicy,
  ): Promise<InvitationPolicy> {
    await this.limits.take(caller, 'choices')
    await setAsked(this.pool, caller.userId, body.invitations === 'ask')
    return body
  }
}
