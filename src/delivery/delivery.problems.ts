import { NotFound, Problem } from '../platform/http/problem.js'

export class UnknownGroup extends NotFound {
  constructor() {
    super('No such group here.')
  }
}
export class GroupDeleted extends Problem {
  constructor() {
    super(410, 'group-deleted', 'This group was deleted.')
  }
}
export class NoReader extends Problem {
  constructor() {
    super(403, 'not-a-member', 'This device was never a member of the group.')
  }
}
/** What was asked for has been retired, or lost with a database that was restored: join again. `from_seq` is where the log can be read from now. */
export class ResyncNeeded extends Problem {
  constructor(detail: string, fromSeq: bigint) {
    super(409, 'resync', detail, { from_seq: fromSeq })
  }
}
export class AckAhead extends Problem {
  constructor(groupId: Uint8Array, deliverable: bigint) {
    super(409, 'ack-ahead', 'An entry that was never delivered cannot be acknowledged.', { group_id: groupId, deliverable })
  }
}
