import { GroupId, Seq } from '../platform/http/bytes.js'
import type { ProblemTypes } from '../platform/http/problem-types.js'
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
/** The user decided so, or has not decided yet. */
export class NotDelivered extends Problem {
  constructor() {
    super(409, 'not-delivered', 'This device has blocked the group, or its user has not accepted it yet.')
  }
}
/**
 * What was asked for has been retired, or lost with a database that was restored: join again. `from_seq` is where the log can be read from
 * now.
 */
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

export const DELIVERY_PROBLEMS: ProblemTypes = {
  'group-deleted': { status: 410, when: 'The group was deleted.', client: 'Forget the group and its keys.', retry: 'no' },
  'not-a-member': {
    status: 403,
    when: 'This device is not in the group, or was not when this happened.',
    client: 'Read the log to the end for the Commit that removed it; to come back, be added, or join by an external Commit.',
    retry: 'no',
  },
  'not-delivered': {
    status: 409,
    when: 'This device has blocked the group, or its user wants to be asked and has not accepted the group yet.',
    client: 'Nothing, unless the user wants the group: accept the invitation, or set `delivery` to `all` or `muted`.',
    retry: 'redo',
  },
  resync: {
    status: 409,
    when: 'What is asked for was retired, or the group’s log began again after a restore.',
    client: 'Join again by an external Commit, or read from `from_seq`.',
    retry: 'redo',
    members: { from_seq: Seq.meta({ description: 'Where the log begins now' }) },
  },
  'ack-ahead': {
    status: 409,
    when: 'An acknowledgement names an entry that this device has not been given.',
    client:
      'Acknowledge no further than `deliverable`. A device that has processed entries past it has what the log has lost (a backup was restored): ' +
      'join again by an external Commit.',
    retry: 'redo',
    members: { group_id: GroupId, deliverable: Seq.meta({ description: 'The last entry that may be acknowledged' }) },
  },
}
