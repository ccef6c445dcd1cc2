import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { GroupDeleted } from '../../delivery/delivery.problems.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Events } from '../../platform/observability/events.js'
import { Forbidden } from '../../platform/http/problem.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { openFor } from '../access/access.js'
import { groupDeleted } from '../groups.events.js'
import { rowOfGroup } from '../repository/group-row.js'
import { deleteGroup } from '../repository/groups.repository.js'
import { DeletedGroups } from './deleted-groups.job.js'

/** A long log takes its time to be counted, before anything is locked; other statements stay short. */
const DELETE_TIMEOUT_MS = 5 * 60_000

@Injectable()
export class DeleteService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly events: Events,
    private readonly remains: DeletedGroups,
  ) {}

  /** @returns how many entries the log had. What stays is the tombstone, `group.deleted` in the members' inboxes, and for a while rows that nobody can read. */
  async delete(caller: Caller, groupId: Uint8Array): Promise<{ deleted_entries: bigint }> {
    const { group } = await openFor(this.pool, groupId, caller, 'delete')
    const deletion = await transaction(this.pool, (sql) => deleteGroup(sql, this.config.DOMAIN, group.gid, caller.userId), {
      statementTimeout: DELETE_TIMEOUT_MS,
      row: rowOfGroup(group.gid),
    })
    if (deletion.kind === 'forbidden') throw new Forbidden('Only admins of the group may do this.')
    if (deletion.kind !== 'accepted') throw new GroupDeleted()
    groupDeleted(this.events, deletion.entries)
    this.remains.deleted({ ...group, devices: deletion.devices })
    return { deleted_entries: deletion.entries }
  }
}
