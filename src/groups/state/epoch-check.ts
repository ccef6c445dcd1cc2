export interface PositionRefusal {
  kind: 'stale' | 'ahead' | 'frozen'
  headSeq: bigint
  epoch: bigint
  incarnation: number
}

interface Position {
  epoch: bigint
  headSeq: bigint
  incarnation: number
  frozen: string | null
}

/**
 * One Commit per epoch, first come first served (RFC 9750 §5.2.1, Strongly Consistent Delivery): what SQL would answer a
 * handshake of `epoch` by the group as it was just read. Saves the work of judging; undefined says nothing.
 */
export function refusedByPosition(group: Position, epoch: bigint): PositionRefusal | undefined {
  const at = { headSeq: group.headSeq, epoch: group.epoch, incarnation: group.incarnation }
  if (group.frozen !== null) return { kind: 'frozen', ...at }
  if (epoch < group.epoch) return { kind: 'stale', ...at }
  return epoch > group.epoch ? { kind: 'ahead', ...at } : undefined
}
