import { sameBytes } from '../../protocol/bytes.js'

/** How a group is addressed at this server, and its id in MLS. */
export interface GroupIds {
  readonly groupId: Uint8Array
  readonly mlsGroupId: Uint8Array
}

/** Both for clients: almost every group is addressed by its MLS group id, which is not said twice then. */
export function shownIds({ groupId, mlsGroupId }: GroupIds): { group_id: Uint8Array; mls_group_id?: Uint8Array } {
  return { group_id: groupId, ...(sameBytes(groupId, mlsGroupId) ? {} : { mls_group_id: mlsGroupId }) }
}
