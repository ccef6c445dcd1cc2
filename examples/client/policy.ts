import type { Group } from './group.js'
import { judgeLeaves } from './identity/group-check.js'
import type { FailingLeaf } from './store.js'

/** Members of the group's policy (`PUT /v1/groups/{group}/policy`) that a client acts on. */
export interface PolicyChange {
  external_join?: 'same-user' | 'code' | 'open' | 'none'
  join_code?: string
  identities?: 'certified' | 'any'
}

/** Leaves that would fail if the group were certified: a client shows them before its user, an admin, decides that. */
export async function uncertified({ device, record }: Group): Promise<FailingLeaf[]> {
  return (await judgeLeaves(device, { ...record, certified: true }, record.state)).failing
}

/** For the group's admins. */
export async function changePolicy(group: Group, change: PolicyChange): Promise<void> {
  await group.device.http.put(`${group.path}/policy`, change)
  agreeToPolicy(group, change)
}

/**
 * This client's user knows of the change: it is its own, or an admin has said so inside the group. Not for what the server says: that
 * people whom no device of a member vouches for may come in it could say for anybody's sake.
 */
export function agreeToPolicy({ record }: Group, { external_join, identities }: PolicyChange): void {
  record.certified ||= identities === 'certified'
  if (external_join === undefined) return
  record.externalJoin = external_join !== 'none'
  record.joiners = external_join === 'code' || external_join === 'open' ? 'others' : 'same-user'
}

/** What the server says of the policy counts where it asks for more: certificates (docs/identity.md §4). */
export async function believePolicy({ device, record, path }: Group): Promise<void> {
  const { identities } = await device.http.get<PolicyChange>(`${path}/policy`)
  record.certified ||= identities === 'certified'
}
