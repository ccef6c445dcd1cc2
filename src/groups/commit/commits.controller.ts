import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { GROUP_ACCESS_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { Accepted, SubmitCommit } from '../groups.dto.js'
import { GroupOperations } from '../operations/group-operations.js'

@ApiTags('handshakes')
@Controller('v1/groups/:groupId/commits')
export class CommitsController {
  constructor(private readonly operations: GroupOperations) {}

  @Post()
  @TakesBody('large')
  @HttpCode(200)
  @Returns(Accepted, { description: 'Accepted: it is the next entry of the log, and the group is at `epoch`.' })
  @ApiOperation({
    operationId: 'submitCommit',
    summary: 'Submit a Commit',
    description:
      'A member’s Commit, or an external one by which this device joins or comes back (RFC 9420 §12.4.3.2). One Commit per ' +
      'epoch is accepted, the first. Apply your own Commit when this answers 200 or when you see it in the log, never ' +
      'before. The Welcomes of a request answer each Add once; a GroupInfo of the new epoch is needed where external joins ' +
      'are on. Retries: the same bytes get the original answer for 24 hours. On `stale-epoch`, drop the Commit, process ' +
      '`entries` and make a new one. On `proposals-pending`, commit the proposals that it names; on ' +
      '`proposals-void`, leave out those that it names.',
  })
  @Refuses(
    ...GROUP_ACCESS_PROBLEMS,
    'forbidden',
    'policy',
    'no-consent',
    'stale-epoch',
    'incarnation-changed',
    'epoch-ahead',
    'proposals-pending',
    'proposals-void',
    'group-frozen',
    'group-exists',
    'storage-full',
    'undecodable',
    'invalid-commit',
  )
  submit(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: SubmitCommit }) body: SubmitCommit,
  ) {
    return this.operations.call('commit', caller, groupId, body)
  }
}
