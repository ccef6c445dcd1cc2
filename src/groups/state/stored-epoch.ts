import type { Sql } from '../../platform/postgres/sql.js'
import { decodeMessage } from '../../protocol/mls/message.js'
import type { GroupInfo } from '../../protocol/mls/structures/group-info.js'
import { decodeRatchetTree } from '../../protocol/mls/structures/ratchet-tree.js'
import { addProposal, type PublicGroupState } from '../../protocol/public-group/state.js'
import { PolicyRefusal } from '../groups.problems.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { readProposals } from '../repository/log.repository.js'
import { findGroupInfo, findTree } from '../repository/states.repository.js'
import { describedEpoch, treeInside } from './described-epoch.js'

/** What a private group shows of its current epoch, where external joins are on: its last committer's GroupInfo and tree. */
export async function findStoredEpoch(sql: Sql, group: GroupRow): Promise<PublicGroupState | undefined> {
  const groupInfo = await storedGroupInfo(sql, group.gid, group.epoch)
  if (!groupInfo) return undefined
  const stored = await findTree(sql, group.gid, group.epoch)
  const tree = stored ? decodeRatchetTree(stored) : undefined
  const nodes = tree?.kind === 'decoded' ? tree.value : treeInside(groupInfo)?.nodes
  return nodes && withPublicProposals(sql, group, await describedEpoch(groupInfo, nodes, group))
}

/** A SelfRemove is public in both modes, because whoever joins from outside has to commit it. */
async function withPublicProposals(sql: Sql, group: GroupRow, state: PublicGroupState): Promise<PublicGroupState> {
  const decoded = (await readProposals(sql, group.gid, group.epoch)).map(({ bytes }) => decodeMessage(bytes))
  const messages = decoded.flatMap((one) => (one.kind === 'decoded' && one.value.wireFormat === 'public-message' ? [one.value.body] : []))
  return messages.reduce(addProposal, state)
}

/** The same, for a join that cannot go on without. */
export async function storedEpoch(sql: Sql, group: GroupRow): Promise<PublicGroupState> {
  const state = await findStoredEpoch(sql, group)
  if (!state) throw new PolicyRefusal('The group does not show its current epoch, so nobody can join it from outside.')
  return state
}

async function storedGroupInfo(sql: Sql, gid: bigint, epoch: bigint): Promise<GroupInfo | undefined> {
  const bytes = await findGroupInfo(sql, gid, epoch)
  const decoded = bytes && decodeMessage(bytes)
  return decoded?.kind === 'decoded' && decoded.value.wireFormat === 'group-info' ? decoded.value.body : undefined
}
