import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { removalProposed } from '../groups.events.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { noteRemoval } from './removal.repository.js'

export type Reason = 'leave' | 'revoke'

/** Who hears that a device is to go: the log's readers of a Remove that is in it, or each member. */
@Injectable()
export class RemovalNotices {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  /** A Remove is in the log, at `seq`. */
  proposed({ gid }: GroupRow, reason: Reason, seq: bigint): true {
    this.hints.publish([{ kind: 'group', gid, headSeq: seq }])
    removalProposed(this.events, reason, true)
    return true
  }

  /** None is: the members find in their inboxes whom to remove. */
  async tellMembers(gid: bigint, deviceId: bigint, reason: Reason): Promise<false> {
    const told = await noteRemoval(this.pool, { domain: this.config.DOMAIN, gid, deviceId, reason })
    this.hints.publish(told.map((member) => ({ kind: 'inbox', deviceId: member })))
    removalProposed(this.events, reason, false)
    return false
  }
}
