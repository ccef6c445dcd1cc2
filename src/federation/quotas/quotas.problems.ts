import { Problem } from '../../platform/http/problem.js'

/** The limits that keep a batch back, as docs/limits.md and `judge_replica_bytes` name them, and after how many seconds it is worth another try. */
const SECONDS = {
  'peer-new-group-bytes': 300,
  'peer-joined-group-bytes': 300,
  'group-storage': 900,
  'peer-new-bytes-of-user': 600,
  'peer-new-bytes': 900,
  'peer-new-groups-of-user': 600,
  'peer-new-groups': 900,
  'peer-welcomes-of-user': 600,
  'peer-bytes-of-user': 900,
  'peer-bytes': 900,
} as const
export type HeldBackBy = keyof typeof SECONDS

/** The hub may store no more of this group now; nothing of the batch was stored, and none of it is lost if the hub sends it again. */
export class HeldBack extends Problem {
  /** @param gid of the replica, which is there only if it was before the batch */
  constructor(
    readonly by: HeldBackBy,
    readonly gid: bigint,
  ) {
    super(429, 'held-back', 'No more of this group is stored now. Send the batch again later; other groups are not concerned.')
    this.retryAfter = SECONDS[by]
    this.limit = by
  }
}
