import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import { type Entry, toEntry } from '../../delivery/read/entry.js'
import { NoConsent } from '../../key-packages/key-packages.problems.js'
import { Unavailable, type Problem } from '../../platform/http/problem.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { sha256 } from '../../protocol/sha256.js'
import {
  EpochAhead,
  GroupExists,
  GroupFrozen,
  IncarnationChanged,
  InvalidCommit,
  NotAMember,
  PolicyRefusal,
  StaleEpoch,
} from '../groups.problems.js'
import { findGroupByGid, type GroupRow } from '../repository/groups.repository.js'
import { readHandshakesByHash, readMissedHandshakes } from '../repository/log.repository.js'
import type { RefusedSubmission } from '../repository/submissions.repository.js'
import { storageFull } from '../usage/storage-full.js'

interface Position {
  epoch: bigint
  headSeq: bigint
  incarnation: number
  reusedAbove: bigint | null
  frozen: string | null
}

/**
 * One Commit per epoch, first come first served (RFC 9750 §5.2.1, Strongly Consistent Delivery): what SQL would answer a
 * handshake of `epoch` by the group as it was just read. Saves the work of judging; undefined says nothing.
 * @param madeIn the incarnation that the sender names, if it names one
 */
export function refusedByPosition(group: Position, epoch: bigint, madeIn: number | undefined): RefusedSubmission | undefined {
  const at = { headSeq: group.headSeq, epoch: group.epoch, incarnation: group.incarnation }
  if (isOfAnother(group, epoch, madeIn)) return { kind: 'incarnation', ...at }
  if (group.frozen !== null) return { kind: 'frozen', ...at }
  if (epoch < group.epoch) return { kind: 'stale', ...at }
  return epoch > group.epoch ? { kind: 'ahead', ...at } : undefined
}

/** Who names no incarnation means the newest, where the epoch was never used twice. */
function isOfAnother(group: Position, epoch: bigint, madeIn: number | undefined): boolean {
  if (madeIn !== undefined) return madeIn !== group.incarnation
  return group.reusedAbove !== null && epoch > group.reusedAbove
}

/** What a refused submission of `epoch` is answered; a loser learns the epoch and what it missed. */
export async function submissionProblem(
  sql: Sql,
  group: GroupRow,
  deviceId: bigint,
  epoch: bigint,
  refusal: RefusedSubmission,
): Promise<Problem> {
  switch (refusal.kind) {
    case 'stale': {
      const now = { gid: group.gid, groupId: group.groupId, incarnation: refusal.incarnation }
      return new StaleEpoch(refusal.epoch, refusal.incarnation, await missedEntries(sql, now, deviceId, epoch))
    }
    case 'incarnation':
      return new IncarnationChanged(refusal.incarnation, refusal.epoch)
    case 'ahead':
      return new EpochAhead(refusal.epoch)
    case 'frozen':
      return frozenNow((await findGroupByGid(sql, group.gid)) ?? group)
    case 'not-a-member':
      return new NotAMember()
    case 'banned':
      return new PolicyRefusal('This user is banned from the group.')
    case 'deleted':
      return new GroupDeleted()
    case 'unknown':
      return new UnknownGroup()
    case 'key-package-used':
      return new InvalidCommit('key-package-used')
    case 'no-consent':
      return new NoConsent()
    case 'id-taken':
      return new GroupExists()
    case 'group-full':
      return storageFull(sql, { gid: group.gid, deviceId }, 'group', refusal.allowed)
    case 'account-full':
      return storageFull(sql, { gid: group.gid, deviceId }, 'account', refusal.allowed)
    case 'retry':
      return new Unavailable('The group keeps changing; try again.')
  }
}

function frozenNow({ frozen, successorGroupId }: GroupRow): Problem {
  return new GroupFrozen(frozen ?? 'reset', successorGroupId)
}

/** The entries of these handshakes, as far as the device is a member of the group now. */
export async function entriesOfMessages(
  sql: Sql,
  group: Pick<GroupRow, 'gid' | 'groupId' | 'incarnation'>,
  deviceId: bigint,
  messages: readonly Uint8Array[],
): Promise<Entry[]> {
  const hashes = messages.map((bytes) => sha256(bytes))
  return (await readHandshakesByHash(sql, group.gid, deviceId, hashes)).map((row) => toEntry(group, row))
}

/** What a device that is still in `epoch` needs to get on, cut to its membership and to a bounded size. */
export async function missedEntries(
  sql: Sql,
  group: { gid: bigint; groupId: Uint8Array; incarnation: number },
  deviceId: bigint,
  epoch: bigint,
): Promise<Entry[]> {
  const rows = await readMissedHandshakes(sql, group.gid, deviceId, epoch)
  return rows.map((row) => toEntry(group, row))
}
