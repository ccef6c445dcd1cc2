import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { ReportAbuse } from './abuse.dto.js'
import { AbuseReports } from './abuse-reports.js'

@ApiTags('federation')
@Controller('v1/groups/:groupId/abuse-reports')
export class AbuseController {
  constructor(private readonly reports: AbuseReports) {}

  @Post()
  @TakesBody('large')
  @HttpCode(204)
  @ApiOperation({
    summary: "Complain about a user to the people who run the room's hub",
    description: "For members. The hub gets to know the reporter's name, and no message.",
  })
  report(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: ReportAbuse }) body: ReportAbuse,
  ) {
    return this.reports.report(caller, groupId, body)
  }
}
