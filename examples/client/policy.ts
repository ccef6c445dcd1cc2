import type { Group } from './group.js'

/** Members of the group's policy (`PUT /v1/groups/{group}/policy`) that a client acts on. */
export interface PolicyChange {
  external_join?: 'same-user' | 'code' | 'open' | 'none'
  join_code?: string
  identities?: 'certified' | 'any'
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
