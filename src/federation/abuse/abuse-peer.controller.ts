import { Controller, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseClientUri, parseUserUri } from '../../protocol/identifiers.js'
import { decodeAbuseReport } from '../../protocol/mimi/report-abuse.js'
import { NotTheHub } from '../hub/hub.problems.js'
import { groupForPeer } from '../hub/hub.repository.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { MalformedBody } from '../inbound/inbound.problems.js'
import { PeerPost } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, providerOf, refuseForeign, type Peer } from '../inbound/peer.js'
import { RoomVariable } from '../inbound/path-variables.js'
import { AbuseReports } from './abuse-reports.js'

@Controller(PEER_PATH)
export class AbusePeerController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly reports: AbuseReports,
  ) {}

  /** Of providers that have, or had, members in the room, and of any where it is open to all: to others no room here exists. */
  @PeerPost('reportAbuse/:roomId', 201)
  async report(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<undefined> {
    const { reportingUser, allegedAbuser, reasonCode, note, messages } = decodedOrRefused(decodeAbuseReport(body))
    if (reportingUser !== '') refuseForeign(peer, reportingUser, 'reporting user')
    if (reportingUser !== '' && !parseUserUri(reportingUser)) throw new MalformedBody('the reporter is not a user')
    if (!parseUserUri(allegedAbuser) && !parseClientUri(allegedAbuser))
      throw new MalformedBody('the alleged abuser is neither user nor client')
    if (providerOf(roomId) !== this.config.DOMAIN || !(await groupForPeer(this.pool, roomId, peer.domain))) throw new NotTheHub()
    const who = { roomId, provider: peer.domain, reporter: reportingUser, allegedAbuser }
    await this.reports.take({ ...who, reason: reasonCode, note, messages })
  }
}
