import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { z } from 'zod'
import { UserUri } from '../../authentication/identifiers.dto.js'
import type { Caller } from '../../authentication/session/caller.js'
import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import { presentAmong } from '../../groups/access/members.repository.js'
import { userWasThere } from '../../delivery/read/history.repository.js'
import { NotAMember } from '../../groups/groups.problems.js'
import { findHome } from '../../groups/home/homes.repository.js'
import { findGroup } from '../../groups/repository/groups.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { RateLimited } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { encodeAbuseReport } from '../../protocol/mimi/report-abuse.js'
import { abuseReportDropped, abuseReported } from '../federation.events.js'
import { hubProblem } from '../peer-problems.js'
import { SignedClient } from '../outbound/signed-client.js'
import { addAbuseReport, type NewAbuseReport } from './abuse-reports.repository.js'

/** UTF-16 code units: in UTF-8 never more than the 8 KiB that the hub's decoder takes. */
const MAX_NOTE_LENGTH = 2_000

export const ReportAbuse = z
  .strictObject({
    alleged_abuser: UserUri,
    reason: z.int().min(0).max(255).default(0).meta({ description: 'AbuseType of the MIMI protocol, which names none yet; 0 for none' }),
    note: z.string().max(MAX_NOTE_LENGTH).default('').meta({ description: "For the people who run the room's hub" }),
  })
  .meta({ id: 'ReportAbuse', description: 'No messages: those would show their content to the hub' })
export type ReportAbuse = z.infer<typeof ReportAbuse>

/** Reports of one provider that wait for the operator. */
const MOST_OPEN = 10_000
const HOUR = 3_600

/** Complaints go to the hub of the room, whose operator reads them (draft-ietf-mimi-protocol-06, Report abuse). */
@Injectable()
export class AbuseReports {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'ABUSE_REPORTS_PER_HOUR' | 'ABUSE_REPORTS_PER_PEER_PER_HOUR'>,
    private readonly client: SignedClient,
    private readonly limits: Limits,
    private readonly events: Events,
  ) {}

  /** Takes a report by a member of the group, here or at its hub. */
  async report(caller: Caller, groupId: Uint8Array, body: ReportAbuse): Promise<void> {
    const roomId = await this.roomOfMember(caller, groupId)
    await this.spend(caller.user)
    const home = await findHome(this.pool, groupId)
    const { alleged_abuser: allegedAbuser, reason } = body
    // Neither PostgreSQL's text nor that between providers holds this one.
    const note = body.note.replaceAll('\0', '\uFFFD')
    if (home === undefined || home === 'here') {
      await this.keep({ roomId, provider: this.config.DOMAIN, reporter: caller.user, allegedAbuser, reason, note, messages: 0 })
      return
    }
    const report = { reportingUser: caller.user, allegedAbuser, reasonCode: reason, note }
    const request = { peer: home.hub, endpoint: 'reportAbuse', argument: home.roomId, body: encodeAbuseReport(report) } as const
    const answer = await this.client.send(request)
    if (answer.kind !== 'answered' || answer.status >= 300) throw hubProblem(answer)
  }

  /** Passed on by another provider, for a local room. */
  async take(report: NewAbuseReport): Promise<void> {
    const points = this.config.ABUSE_REPORTS_PER_PEER_PER_HOUR
    await this.limits.take({ name: 'abuse-reports-of', points, seconds: HOUR }, report.provider)
    if (report.reporter !== '') await this.spend(report.reporter)
    await this.keep(report)
  }

  /** Only members know what happens in a room. A replica has no policy here, but its members. */
  private async roomOfMember({ deviceId, userId }: Caller, groupId: Uint8Array): Promise<string> {
    const group = await findGroup(this.pool, groupId)
    if (!group) throw new UnknownGroup()
    if (group.deleted) throw new GroupDeleted()
    if ((await presentAmong(this.pool, group.gid, [deviceId])).has(deviceId)) return group.roomId
    throw (await userWasThere(this.pool, group.gid, userId)) ? new NotAMember() : new UnknownGroup()
  }

  private spend(reporter: string): Promise<void> {
    return this.limits.take({ name: 'abuse-reports-by', points: this.config.ABUSE_REPORTS_PER_HOUR, seconds: HOUR }, reporter)
  }

  private async keep(report: NewAbuseReport): Promise<void> {
    if (!(await addAbuseReport(this.pool, report, MOST_OPEN))) {
      abuseReportDropped(this.events)
      throw new RateLimited(HOUR)
    }
    abuseReported(this.events, { by_peer: report.provider !== this.config.DOMAIN, reason: report.reason, messages: report.messages })
  }
}
