import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import type { ReInit } from '../../protocol/mls/structures/proposal.js'
import { applyCommit } from '../../protocol/public-group/apply-commit.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { readCommitOf } from '../repository/log.repository.js'
import { PublicStates, publicMessageOf } from '../state/public-states.js'

/** What a ReInit (RFC 9420 §12.1.5) said about the group to come. */
@Injectable()
export class Reinitialized {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly states: PublicStates,
  ) {}

  /** Undefined unless the group is public and was frozen by a ReInit: then the last Commit, read again, says it. */
  async announcedBy(group: GroupRow): Promise<ReInit | undefined> {
    if (group.frozen !== 'reinit' || group.mode !== 'public') return undefined
    const epoch = group.epoch - 1n
    const row = await readCommitOf(this.pool, group.gid, epoch)
    if (!row) return undefined
    const { state } = await this.states.at({ ...group, epoch })
    const again = applyCommit(state, publicMessageOf(row))
    return again.kind === 'applied' ? again.reinit : undefined
  }
}
