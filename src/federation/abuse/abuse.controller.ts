import { Body, Controller, HttpCode, Inject, Param, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { Pool } from 'pg'
import { CurrentDevice, type Caller } from '../../authentication/session/caller.js'
import { GroupId } from '../../platform/http/bytes.js'
import { HUB_PROBLEMS, Refuses } from '../../platform/http/refuses.js'
import { ReturnsNothing } from '../../platform/http/returns.js'
import { TakesBody } from '../../platform/http/route-options.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseClientUri, parseUserUri } from '../../protocol/identifiers.js'
import { decodeAbuseReport } from '../../protocol/mimi/report-abuse.js'
import { groupForPeer } from '../hub/hub.repository.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { RoomPost, RoomVariable } from '../inbound/peer-route.js'
import { MalformedBody, NotTheHub } from '../inbound/inbound.problems.js'
import { CurrentPeer, PeerBody, requireUriOfPeer, type Peer } from '../inbound/peer.js'
import { AbuseReports, ReportAbuse } from './abuse-reports.js'

/** Reports of this server's users, for the hub of the room. */
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
  @Refuses('not-found', 'group-deleted', 'not-a-member', ...HUB_PROBLEMS)
  @ReturnsNothing('The complaint was passed on, or will be.')
  report(
    @CurrentDevice() caller: Caller,
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Body({ schema: ReportAbuse }) body: ReportAbuse,
  ) {
    return this.reports.report(caller, groupId, body)
  }
}

/** Reports that other providers pass on to this hub. */
@Controller(PEER_PATH)
export class AbusePeerController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly reports: AbuseReports,
  ) {}

  /** Of providers that have, or had, members in the room, and of any where it is open to all: to others no room here exists. */
  @RoomPost('reportAbuse/:roomId', { of: 'here' }, 201)
  async report(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<undefined> {
    const { reportingUser, allegedAbuser, reasonCode, note, messages } = decodedOrRefused(decodeAbuseReport(body))
    if (reportingUser !== '') requireUriOfPeer(peer, reportingUser, 'reporting user')
    if (reportingUser !== '' && !parseUserUri(reportingUser)) throw new MalformedBody('the reporter is not a user')
    if (!parseUserUri(allegedAbuser) && !parseClientUri(allegedAbuser))
      throw new MalformedBody('the alleged abuser is neither user nor client')
    if (!(await groupForPeer(this.pool, roomId, peer.domain))) throw new NotTheHub()
    const who = { roomId, provider: peer.domain, reporter: reportingUser, allegedAbuser }
    await this.reports.take({ ...who, reason: reasonCode, note, messages })
  }
}
