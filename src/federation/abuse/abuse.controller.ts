import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { AT_HUB, Refuses } from '../../platform/http/refuses.js'
import { ReturnsNothing } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { AbuseReports } from './abuse-reports.js'
import { ReportAbuse } from './abuse.dto.js'

@ApiTags('federation')
@Controller('v1/groups/:groupId/abuse-reports')
export class AbuseController {
  constructor(private readonly reports: AbuseReports) {}

  @Post()
  @TakesBody('large')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'reportAbuse',
    summary: 'Complain about a user',
    description: 'To the people who run the hub of the room; for members. The hub gets to know the reporter’s name, and no message.',
  })
  @Refuses('not-found', 'group-deleted', 'not-a-member', ...AT_HUB)
  @ReturnsNothing('The complaint was passed on, or will be.')
  report(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: ReportAbuse }) body: ReportAbuse,
  ) {
    return this.reports.report(caller, groupId, body)
  }
}
