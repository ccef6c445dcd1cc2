import type { GroupContext } from '../../protocol/mls/structures/group-info.js'
import { memberNamed, type PublicGroupState } from '../../protocol/public-group/state.js'
import { sha256 } from '../input/mls-input.js'
import type { PendingRemoval } from '../removal/removal.repository.js'
import type { Followup } from '../repository/submissions.repository.js'

/** Signs a Remove for the epoch of the context; undefined if the group does not take one from this server. */
export type SignRemove = (context: GroupContext, leafIndex: number) => Promise<Uint8Array | undefined>

/**
 * A Proposal dies with its epoch, so anyone who is still on the way out after a Commit needs a new Remove, right behind it
 * (§4). `unsigned` are devices for which that is not possible any more.
 */
export async function followupsFor(
  next: PublicGroupState | undefined,
  pending: readonly PendingRemoval[],
  sign: SignRemove,
): Promise<{ followups: Followup[]; unsigned: bigint[] }> {
  const due = pending.filter(({ leafIndex }) => leafIndex !== null)
  if (due.length === 0) return { followups: [], unsigned: [] }
  const followups: Followup[] = []
  const unsigned: bigint[] = []
  for (const { deviceId, client } of due) {
    const leafIndex = next && memberNamed(next, client)?.leafIndex
    const bytes = next === undefined || leafIndex === undefined ? undefined : await sign(next.groupContext, leafIndex)
    if (bytes) followups.push({ deviceId, bytes, hash: sha256(bytes) })
    else unsigned.push(deviceId)
  }
  return { followups, unsigned }
}
