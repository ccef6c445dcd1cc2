import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { PublicStates } from '../state/public-states.js'
import { findStoredEpoch } from '../state/stored-epoch.js'

/** The roster of a group as far as the server sees it: always in public mode, with external joins in private mode. */
@Injectable()
export class RemovalStates {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly states: PublicStates,
  ) {}

  async of(group: GroupRow): Promise<PublicGroupState | undefined> {
    return group.mode === 'public' ? (await this.states.at(group)).state : findStoredEpoch(this.pool, group)
  }
}
