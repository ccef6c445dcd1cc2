import type { Sql } from '../../platform/postgres/sql.js'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import { ProposalsPending } from '../groups.problems.js'
import { readHandshakesByHash } from '../repository/log.repository.js'
import type { RemovedDevice } from '../repository/submissions.repository.js'
import { sha256 } from '../input/mls-input.js'
import { toEntry } from '../../delivery/read/log-row.js'
import type { CommitContext } from './commit-context.js'

/**
 * In a public group a member's Commit has to take out those who asked to leave or were revoked, if a Remove for this
 * epoch stands in the log (§4): 409 with those Removes. A leaver cannot commit its own Remove (RFC 9420 §12.2), and a
 * joiner cannot commit proposals at all; both get them regenerated behind their Commit.
 */
export async function duePending(
  sql: Sql,
  { group, caller, pending }: CommitContext,
  state: PublicGroupState,
  removed: readonly RemovedDevice[],
  external: boolean,
): Promise<void> {
  if (external || group.mode !== 'public') return
  const going = new Set(removed.map(({ deviceId }) => deviceId))
  const left = pending.filter(
    ({ deviceId, proposedEpoch }) => proposedEpoch === group.epoch && deviceId !== caller.deviceId && !going.has(deviceId),
  )
  const leaves = new Set(left.flatMap(({ leafIndex }) => leafIndex ?? []))
  if (leaves.size === 0) return
  // Leaf numbers are of the epoch of the proposal: those that have moved meanwhile are not asked for.
  const due = [...state.pending.values()].filter(
    ({ proposal, sender }) => sender.kind === 'external' && proposal.kind === 'remove' && leaves.has(proposal.removed),
  )
  if (due.length === 0) return
  const rows = await readHandshakesByHash(
    sql,
    group.gid,
    caller.deviceId,
    due.map(({ bytes }) => sha256(bytes)),
  )
  throw new ProposalsPending(
    group.epoch,
    rows.map((row) => toEntry(group, row)),
  )
}
