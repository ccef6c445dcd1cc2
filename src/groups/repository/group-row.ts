/**
 * SQL: the group $1 is not deleted. Every statement that reads bytes of a group by its row id has it, or asks for `deleted_at` itself: of a
 * deleted group rows are left for a while (invariant 8).
 */
export const ALIVE = 'EXISTS (SELECT FROM groups alive WHERE alive.gid = $1 AND alive.deleted_at IS NULL)'

/**
 * Names the row of a group for statements and transactions that wait for it (`Statement.row`): of a group at home here, by its row id.
 * Replicas, and the group in whose place or from which another one begins, are named by group id, since that is what their statements look for.
 */
export function rowOfGroup(group: bigint | Uint8Array): string {
  return group instanceof Uint8Array ? `group id ${Buffer.from(group).toString('base64url')}` : `group ${group}`
}
