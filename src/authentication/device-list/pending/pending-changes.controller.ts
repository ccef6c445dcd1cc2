import { Controller, Delete, Get, HttpCode, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { Refuses } from '../../../platform/http/refuses.js'
import { Returns, ReturnsNothing } from '../../../platform/http/returns.js'
import { CurrentDevice, type Caller } from '../../session/caller.js'
import { StepUpProof, TakesStepUp, type PresentedProof } from '../../step-up/step-up-header.js'
import { DeviceListState, PendingListChange } from '../device-list.dto.js'
import { ChangeDecisions } from './change-decisions.js'

const PROOF = 'A fresh proof by a key of this device, a recovery key, a passkey or the identity key'

@ApiTags('device lists')
@Controller('v1/device-list/pending')
export class PendingChangesController {
  constructor(private readonly decisions: ChangeDecisions) {}

  @Get()
  @Returns(PendingListChange, { description: 'The change that waits.' })
  @ApiOperation({
    operationId: 'getPendingChange',
    summary: 'The change of this account’s device list that waits',
    description: 'Verify its entries behind the list, and show the user what they do, before it is approved or refused.',
  })
  @Refuses('not-found')
  read(@CurrentDevice() caller: Caller) {
    return this.decisions.read(caller)
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'refusePendingChange',
    summary: 'Refuse the change that waits',
    description:
      '`Step-Up` has the purpose `refuse-change` and the hash of the last new entry as subject. Keys that are younger than REVOCATION_DELAY ' +
      'have no say, nor have devices that the signer has enrolled.',
  })
  @TakesStepUp(PROOF)
  @Refuses('not-found', 'forbidden')
  @ReturnsNothing('It never takes effect.')
  refuse(@CurrentDevice() caller: Caller, @StepUpProof() proof?: PresentedProof) {
    return this.decisions.refuse(caller, proof)
  }

  @Post('approval')
  @HttpCode(200)
  @Returns(DeviceListState, { description: 'It has taken effect.' })
  @ApiOperation({
    operationId: 'approvePendingChange',
    summary: 'Approve the change that waits',
    description:
      'It takes effect at once. `Step-Up` has the purpose `approve-change` and the hash of the last new entry as subject. Who may refuse a ' +
      'change may approve it, except for the one who has signed it and for devices without the right to revoke.',
  })
  @TakesStepUp(PROOF)
  @Refuses('not-found', 'forbidden', 'invalid-device-list', 'device-list-changed', 'too-large')
  approve(@CurrentDevice() caller: Caller, @StepUpProof() proof?: PresentedProof) {
    return this.decisions.approve(caller, proof)
  }
}
