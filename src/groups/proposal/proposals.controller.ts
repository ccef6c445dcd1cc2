import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { Returns } from '../../platform/http/returns.js'
import { AcceptsMessage, TakesBody } from '../../platform/http/route-options.js'
import { Accepted } from '../groups.dto.js'
import { Homes } from '../home/homes.js'
import { SubmitProposal } from './proposal.dto.js'
import { ProposalsService } from './proposals.service.js'

@ApiTags('groups')
@Controller('v1/groups/:groupId/proposals')
export class ProposalsController {
  constructor(
    private readonly homes: Homes,
    private readonly proposals: ProposalsService,
  ) {}

  /** JSON, CBOR, or the MLSMessage itself as message/mls. */
  @Post()
  @TakesBody('message')
  @HttpCode(200)
  @AcceptsMessage('proposal')
  @Returns(Accepted)
  async submit(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: SubmitProposal }) body: SubmitProposal,
  ) {
    const elsewhere = await this.homes.remote(groupId)
    return elsewhere ? elsewhere.submitProposal(caller, body.proposal) : this.proposals.submit(caller, groupId, body.proposal)
  }
}
