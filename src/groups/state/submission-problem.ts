import { Unavailable, type Problem } from '../../platform/http/problem.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import { EpochAhead, GroupFrozen, NotAMember, PolicyRefusal, StaleEpoch } from '../groups.problems.js'
import { findGroupByGid, type GroupRow } from '../repository/groups.repository.js'
import type { Refusal } from '../repository/submissions.repository.js'
import { missedEntries } from './missed-entries.js'

/** What a refused submission of `epoch` is answered; a loser learns the epoch and what it missed. */
export async function submissionProblem(sql: Sql, group: GroupRow, deviceId: bigint, epoch: bigint, refusal: Refusal): Promise<Problem> {
  switch (refusal.kind) {
    case 'stale': {
      const now = { gid: group.gid, groupId: group.groupId, incarnation: refusal.incarnation }
      return new StaleEpoch(refusal.epoch, refusal.incarnation, await missedEntries(sql, now, deviceId, epoch))
    }
    case 'ahead':
      return new EpochAhead(refusal.epoch)
    case 'frozen': {
      const now = (await findGroupByGid(sql, group.gid)) ?? group
      return new GroupFrozen(now.frozen ?? 'reset', now.successorGroupId)
    }
    case 'not-a-member':
      return new NotAMember()
    case 'banned':
      return new PolicyRefusal('This user is banned from the group.')
    case 'deleted':
      return new GroupDeleted()
    case 'unknown':
      return new UnknownGroup()
    case 'retry':
      return new Unavailable('The group keeps changing; try again.')
  }
}
