import { Controller, Delete } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { StepUpProof, TakesStepUp, type PresentedProof } from '../../authentication/step-up/step-up-header.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { Limits } from '../../platform/limits/limits.js'
import { ACCOUNT_RATES, accountLimit } from '../accounts.limits.js'
import { AccountDeletions } from './account-deletion.js'
import { AccountDeletion } from './deletion.dto.js'

@ApiTags('accounts')
@Controller('v1/me')
export class DeletionController {
  constructor(
    private readonly deletions: AccountDeletions,
    private readonly limits: Limits,
  ) {}

  @Delete()
  @Returns(AccountDeletion, { description: 'The account has ended.' })
  @ApiOperation({
    operationId: 'deleteAccount',
    summary: 'Delete this account for good',
    description:
      'Its sessions, streams, devices and KeyPackages end at once, nobody finds it by name or gets its device list, and the server proposes to remove its devices from all ' +
      'groups. What is kept of it is erased in the minutes that follow, here and at the providers that know it; its name when its devices are out ' +
      'of all groups. Groups with nobody else in them are deleted. For a time nobody can register the name. Leave a copy to the user first: ' +
      'exportAccount. `Step-Up` has the purpose `delete-account` and the user URI as subject. Where the user has a device list, the device is the oldest of those with the right to revoke.',
  })
  @TakesStepUp()
  @Refuses('forbidden')
  async delete(@CurrentDevice() caller: Caller, @StepUpProof() proof?: PresentedProof): Promise<AccountDeletion> {
    await this.limits.take(accountLimit(ACCOUNT_RATES.deletions), caller.client)
    return this.deletions.delete(caller, proof)
  }
}
