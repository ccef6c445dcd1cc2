import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { Returns } from '../../platform/http/returns.js'
import { Accepted } from '../groups.dto.js'
import { Homes } from '../home/homes.js'
import { SubmitCommit } from './commit.dto.js'
import { CommitsService } from './commits.service.js'

@ApiTags('groups')
@Controller('v1/groups/:groupId/commits')
export class CommitsController {
  constructor(
    private readonly homes: Homes,
    private readonly commits: CommitsService,
  ) {}

  /** A member's Commit, or an external one by which the caller joins or resyncs. One per epoch is accepted, the first. */
  @Post()
  @TakesBody('large')
  @HttpCode(200)
  @Returns(Accepted)
  async submit(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: SubmitCommit }) body: SubmitCommit,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.submitCommit(caller, body) : this.commits.submit(caller, groupId, body)
  }
}
