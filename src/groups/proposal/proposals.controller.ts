import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { AcceptsMessage, TakesBody } from '../../platform/http/route-options.js'
import { Accepted, SubmitProposal } from '../groups.dto.js'
import { GroupOperations } from '../operations/group-operations.js'

@ApiTags('handshakes')
@Controller('v1/groups/:groupId/proposals')
export class ProposalsController {
  constructor(private readonly operations: GroupOperations) {}

  @Post()
  @TakesBody('message')
  @HttpCode(200)
  @AcceptsMessage('proposal')
  @Returns(Accepted, { description: 'Accepted: it is an entry of the log, and waits for a Commit.' })
  @ApiOperation({
    operationId: 'submitProposal',
    summary: 'Submit a proposal',
    description:
      'One MLSMessage with a Proposal of the current epoch (RFC 9420 §12.1): of a member, or an external Add of this ' +
      'device where the policy lets it join. A Commit has to refer to it. Retries: the same bytes get the original answer ' +
      'for 24 hours.',
  })
  @Refuses(
    ...GROUP_ACCESS_PROBLEMS,
    'forbidden',
    'policy',
    'no-consent',
    'stale-epoch',
    'incarnation-changed',
    'epoch-ahead',
    'too-many-proposals',
    'group-frozen',
    'group-exists',
    'storage-full',
    'undecodable',
    'invalid-commit',
  )
  submit(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: SubmitProposal }) body: SubmitProposal,
  ) {
    return this.operations.call('proposal', caller, groupId, body)
  }
}
