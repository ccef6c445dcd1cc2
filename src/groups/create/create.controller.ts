import { Body, Controller, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { CreateGroup, GroupCreated } from './create-group.dto.js'
import { CreateService } from './create.service.js'

@ApiTags('groups')
@Controller('v1/groups')
export class CreateController {
  constructor(private readonly creations: CreateService) {}

  @Post()
  @TakesBody('large')
  @Returns(GroupCreated, { description: 'The group exists, at its first epoch and before the first entry of its log.' })
  @ApiOperation({
    operationId: 'createGroup',
    summary: 'Create a group',
    description:
      'At epoch 0, with the creating device as its only member (RFC 9420 §11); or, as the successor of a ReInit or as a branch, ' +
      'at epoch 1, see below. Send the GroupInfo without a ratchet_tree ' +
      'extension, and the tree separately. List keys of `GET /v1/external-senders` in the group’s external_senders, so that ' +
      'the server can propose the removal of devices that leave or are revoked. With `successor_of`, the group takes the ' +
      'place of a frozen one, in its room. At epoch 1 (RFC 9420 §11.2, §11.3) send the Welcomes along: with `successor_of` for all ' +
      'members of the group that a ReInit froze, with the group id, suite and extensions of the ReInit; with `branch_of` for some ' +
      'members of that group, with its suite. All are members there, of this provider, and their KeyPackages were claimed here.',
  })
  @Refuses(
    'wrong-domain',
    'undecodable',
    'invalid-commit',
    'forbidden',
    'policy',
    'no-consent',
    'group-exists',
    'room-taken',
    'successor-taken',
    'no-predecessor',
    'successor-reserved',
    'group-frozen',
    'storage-full',
    'not-found',
    'not-a-member',
    'group-deleted',
  )
  create(@CurrentDevice() caller: Caller, @Body({ schema: CreateGroup }) body: CreateGroup) {
    return this.creations.create(caller, body)
  }
}
