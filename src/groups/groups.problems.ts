import type { Entry } from '../delivery/read/entry.js'
import { Problem } from '../platform/http/problem.js'
import { ruleOf, type CommitRule } from './groups.rules.js'

export class NotAMember extends Problem {
  constructor() {
    super(403, 'not-a-member', 'This device is not a member of the group.')
  }
}
/** The group's policy, or a ban, forbids it. */
export class PolicyRefusal extends Problem {
  constructor(why: string) {
    super(403, 'policy', why)
  }
}
/** Another Commit was first. `entries` are the handshakes since the epoch of the submission, cut to the caller's membership. */
export class StaleEpoch extends Problem {
  constructor(currentEpoch: bigint, incarnation: number, entries: readonly Entry[]) {
    super(409, 'stale-epoch', 'The group has moved on to another epoch.', { current_epoch: currentEpoch, incarnation, entries })
  }
}
export class EpochAhead extends Problem {
  constructor(currentEpoch: bigint) {
    super(409, 'epoch-ahead', 'The message is of an epoch that the group has not reached.', { current_epoch: currentEpoch })
  }
}
/** A member's Commit has to include the Removes of those who leave or were revoked; here they are. */
export class ProposalsPending extends Problem {
  constructor(currentEpoch: bigint, proposals: readonly Entry[]) {
    super(409, 'proposals-pending', 'The Commit leaves out Removes that are due.', { current_epoch: currentEpoch, proposals })
  }
}
export class GroupFrozen extends Problem {
  constructor(reason: string, successor: Uint8Array | null) {
    super(409, 'group-frozen', `The group takes no more entries (${reason}).`, successor ? { reason, successor } : { reason })
  }
}
export class GroupExists extends Problem {
  constructor() {
    super(409, 'group-exists', 'There is, or was, another group with this id.')
  }
}
export class RoomTaken extends Problem {
  constructor() {
    super(409, 'room-taken', 'The room has a current group; a new one must be its successor.')
  }
}
export class SuccessorTaken extends Problem {
  constructor(successor: Uint8Array) {
    super(409, 'successor-taken', 'Another group has already taken this place.', { successor })
  }
}
/** A Commit, Proposal, GroupInfo or tree that decodes but breaks a rule (docs/mls-rules.md); `section` is of RFC 9420 unless it names a document. */
export class InvalidCommit extends Problem {
  constructor(rule: CommitRule) {
    const [section, says] = ruleOf(rule)
    super(422, 'invalid-commit', says, { rule, section })
  }
}
