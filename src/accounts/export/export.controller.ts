import { Controller, Get, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { Returns } from '../../platform/http/returns.js'
import { Limits } from '../../platform/limits/limits.js'
import { ACCOUNT_RATES, accountLimit } from '../accounts.limits.js'
import { AccountExports } from './account-export.js'
import { AccountExport, ExportQuery, SECTION_LIST } from './export.dto.js'

@ApiTags('accounts')
@Controller('v1/me/export')
export class ExportController {
  constructor(
    private readonly exports: AccountExports,
    private readonly limits: Limits,
  ) {}

  @Get()
  @Returns(AccountExport, { description: 'A page of records.' })
  @ApiOperation({
    operationId: 'exportAccount',
    summary: 'Everything that the server has about this account',
    description:
      'In pages: continue with `after` = `next` until there is none. Each page counts, and a day has a limited number. What the server cannot ' +
      'read, such as messages, it cannot show: those are in the logs of the groups. What others have decided about this user (who has blocked ' +
      `or reported it) is theirs and not shown. The sections:\n\n${SECTION_LIST}`,
  })
  async page(@CurrentDevice() caller: Caller, @Query({ schema: ExportQuery }) { after }: ExportQuery): Promise<AccountExport> {
    await this.limits.take(accountLimit(ACCOUNT_RATES.exports), caller.user)
    return this.exports.page({ accountId: caller.userId, user: caller.user }, after)
  }
}
