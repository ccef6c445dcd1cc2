/**
 * Names the row of a group for statements and transactions that wait for it (`Statement.row`): of a group at home here, by its row id.
 * Replicas, and the group in whose place or from which another one begins, are named by group id, since that is what their statements look for.
 */
export function rowOfGroup(group: bigint | Uint8Array): string {
  return typeof group === 'bigint' ? `group ${group}` : `group id ${Buffer.from(group).toString('base64url')}`
}
