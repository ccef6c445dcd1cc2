import { Body, Controller, HttpCode, Inject, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { Pool } from 'pg'
import { z } from 'zod'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { UnknownGroup } from '../../delivery/delivery.problems.js'
import { findHome } from '../../groups/home/homes.repository.js'
import { findGroup } from '../../groups/repository/groups.repository.js'
import { GroupId, MlsBytes } from '../../platform/http/bytes.js'
import { Forbidden, Undecodable } from '../../platform/http/problem.js'
import { HUB_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { POOL } from '../../platform/postgres/sql.js'
import { decodeGroupInfoRequest } from '../../protocol/mimi/group-info.js'
import { identityText } from '../../protocol/mls/structures/credential.js'
import { IntroducingClient } from '../disclosure/introductions.js'
import { hubProblem } from '../peer-problems.js'
import { SealedGroupInfo } from './sealed-group-info.js'

const GroupInfoQuery = z
  .strictObject({
    request: MlsBytes(8_192).meta({ description: 'GroupInfoRequest of MIMI, signed by this device (docs/federation-profile.md)' }),
  })
  .meta({ id: 'SealedGroupInfoRequest' })
type GroupInfoQuery = z.infer<typeof GroupInfoQuery>

const GroupInfoAnswer = z
  .object({ response: MlsBytes().meta({ description: 'GroupInfoResponse of MIMI, sealed to the key in the request' }) })
  .meta({ id: 'SealedGroupInfoResponse' })

/** GroupInfo for an external join through this server, sealed to the joiner. */
@ApiTags('federation')
@Controller('v1/groups/:groupId/sealed-group-info')
export class SealedInfoController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly client: IntroducingClient,
    private readonly sealed: SealedGroupInfo,
  ) {}

  @Post()
  @HttpCode(200)
  @Returns(GroupInfoAnswer, { description: 'A GroupInfoResponse of MIMI. A refusal of the hub can be inside.' })
  @ApiOperation({
    operationId: 'getSealedGroupInfo',
    summary: 'GroupInfo and tree for an external join, sealed',
    description:
      'For rooms of any provider: the answer is sealed to the key in the request, so that this server sees no more of the ' +
      'group than it must.',
  })
  @Refuses('not-found', 'forbidden', 'undecodable', 'policy', 'not-a-member', 'group-deleted', ...HUB_PROBLEMS)
  async read(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: GroupInfoQuery }) { request }: GroupInfoQuery,
  ) {
    const decoded = decodeGroupInfoRequest(request)
    if (decoded.kind === 'malformed') throw new Undecodable(`The request is malformed: ${decoded.reason}.`)
    if (identityText(decoded.value.credential) !== caller.client) throw new Forbidden('The request was made by another device.')
    const home = await findHome(this.pool, groupId)
    if (home === undefined) throw new UnknownGroup()
    if (home === 'here') {
      const group = await findGroup(this.pool, groupId)
      return { response: await this.sealed.seal(caller, { roomId: group?.roomId ?? '', groupId }, decoded.value) }
    }
    const answer = await this.client.sendFor(caller.user, { peer: home.hub, endpoint: 'groupInfo', argument: home.roomId, body: request })
    if (answer.kind === 'answered' && answer.status === 200) return { response: answer.body }
    throw hubProblem(answer)
  }
}
