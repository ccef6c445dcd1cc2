import { z } from 'zod'
import { Entry } from '../delivery/read/entry.js'
import { Epoch, GroupId, UnixSeconds } from '../platform/http/bytes.js'
import type { ProblemTypes } from '../platform/http/problem-types.js'
import { Problem } from '../platform/http/problem.js'
import { FreezeReason } from '../protocol/frames.js'
import { ruleOf, type CommitRule } from './groups.rules.js'

export class TooManyBlocks extends Problem {
  constructor(maximum: number) {
    super(409, 'too-many-blocks', `No more than ${maximum} users can be blocked.`, { maximum })
  }
}
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
/** The group was restored since; the same epoch number may be another epoch. */
export class IncarnationChanged extends Problem {
  constructor(incarnation: number, currentEpoch: bigint) {
    super(409, 'incarnation-changed', 'The submission is of another incarnation of the group, or may be.', {
      incarnation,
      current_epoch: currentEpoch,
    })
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
/** A Commit carries out by reference what may not be carried out any more; here it is, to be left out. */
export class ProposalsVoid extends Problem {
  constructor(currentEpoch: bigint, proposals: readonly Entry[]) {
    super(409, 'proposals-void', 'The Commit carries out proposals that have become void.', { current_epoch: currentEpoch, proposals })
  }
}
export class GroupFrozen extends Problem {
  constructor(reason: string, successor: Uint8Array | null) {
    super(409, 'group-frozen', `The group takes no more entries (${reason}).`, successor ? { reason, successor } : { reason })
  }
}
export class GroupExists extends Problem {
  constructor() {
    super(409, 'group-exists', 'The group id is in use, or was in use by a deleted group.')
  }
}
export class RoomTaken extends Problem {
  constructor() {
    super(409, 'room-taken', 'The room has a current group; a new one must be its successor.')
  }
}
export class SuccessorTaken extends Problem {
  constructor(successor: Uint8Array) {
    super(409, 'successor-taken', 'Another group is the successor already.', { successor })
  }
}
/** A Commit, Proposal, GroupInfo or tree that decodes but breaks a rule (docs/mls-rules.md); `section` is of RFC 9420 unless it names a document. */
export class InvalidCommit extends Problem {
  constructor(rule: CommitRule) {
    const [section, says] = ruleOf(rule)
    super(422, 'invalid-commit', says, { rule, section })
  }
}
/** Only members of a frozen group start its successor. */
export class NotASuccessor extends Problem {
  constructor() {
    super(409, 'no-predecessor', 'successor_of names no frozen group of which this device is a member, or this user an admin.')
  }
}
/** For a while after a reset or ReInit the place of the group is not for everybody. */
export class SuccessorReserved extends Problem {
  constructor(until: Date | null) {
    const seconds = until ? { reserved_until: Math.ceil(until.getTime() / 1000) } : {}
    super(403, 'successor-reserved', 'The successor is for an admin, or for who reset the group by reports, to create first.', seconds)
  }
}
/** There is no reset that could be taken back. */
export class ResetFinal extends Problem {
  constructor() {
    super(409, 'reset-final', 'The group was not reset, or too long ago, or the room has moved on.')
  }
}
/** Somebody else changed the policy between the read and the write. */
export class PolicyChanged extends Problem {
  constructor() {
    super(409, 'policy-changed', 'The policy has changed.')
  }
}
export class LastAdmin extends Problem {
  constructor() {
    super(409, 'last-admin', 'A group needs an admin.')
  }
}
/** Members hold every pending proposal in memory until the next Commit, and so does the server. */
export class TooManyProposals extends Problem {
  constructor(detail: string) {
    super(409, 'too-many-proposals', detail)
  }
}

export const GROUP_PROBLEMS: ProblemTypes = {
  'too-many-blocks': {
    status: 409,
    when: 'The user has blocked as many users as are kept.',
    client: 'Take a block back first: `maximum` are kept.',
    retry: 'no',
    members: { maximum: z.int() },
  },
  policy: {
    status: 403,
    when: 'The group’s policy, or a ban, forbids it; `detail` says what.',
    client: 'Ask an admin of the group.',
    retry: 'no',
  },
  'stale-epoch': {
    status: 409,
    when: 'Another Commit was first: the group is past the epoch of this message.',
    client: 'Drop your pending Commit, process `entries`, and make the Commit, proposal or message again in the new epoch.',
    retry: 'redo',
    members: {
      current_epoch: Epoch,
      incarnation: z.int().positive(),
      entries: z.array(Entry).meta({ description: 'Handshakes since the epoch of the message, as far as this device may read them' }),
    },
  },
  'incarnation-changed': {
    status: 409,
    when: 'The server lost the end of the group’s log to a restore, and the submission is of the time before, or does not say of which.',
    client:
      'Drop what you made. Read the group again: if `incarnation` is not the one that your state is of, come back by an external Commit, as after `resync`, or stop; else send it with `incarnation`.',
    retry: 'redo',
    members: { incarnation: z.int().positive(), current_epoch: Epoch },
  },
  'epoch-ahead': {
    status: 409,
    when: 'The message, or what is asked for, is of an epoch that the group has not reached here.',
    client: 'Check that you applied no Commit before it was accepted, and that you talk to the right server.',
    retry: 'no',
    members: { current_epoch: Epoch },
  },
  'proposals-pending': {
    status: 409,
    when: 'The Commit leaves out Removes of devices that leave or were revoked.',
    client: 'Process `proposals`, and commit them by reference.',
    retry: 'redo',
    members: { current_epoch: Epoch, proposals: z.array(Entry).meta({ description: 'The proposals that the Commit has to include' }) },
  },
  'proposals-void': {
    status: 409,
    when:
      'The Commit carries out proposals that were right when they were accepted and are not any more: the joiner was banned, or the policy does ' +
      'not let it in; the device was revoked; the KeyPackage has expired; the proposer has lost the right; another group has the id that a ReInit announces.',
    client: 'Commit again without `proposals`: leave them out until the epoch ends. An admin may do the same by value.',
    retry: 'redo',
    members: { current_epoch: Epoch, proposals: z.array(Entry).meta({ description: 'The proposals that no Commit may carry out now' }) },
  },
  'group-frozen': {
    status: 409,
    when: 'The group was reset or reinitialised and takes no more entries.',
    client: 'Go to `successor`; if there is none, create it with `successor_of`.',
    retry: 'no',
    members: { reason: FreezeReason, successor: GroupId.optional() },
  },
  'group-exists': {
    status: 409,
    when: 'The group id is in use, was in use by a deleted group, or was announced by the ReInit of another group.',
    client: 'Choose another group id.',
    retry: 'no',
  },
  'room-taken': {
    status: 409,
    when: 'The room has a current group.',
    client: 'Join that group, or create its successor once it is frozen.',
    retry: 'no',
  },
  'successor-taken': {
    status: 409,
    when: 'Another group has become the successor already.',
    client: 'Join `successor`.',
    retry: 'no',
    members: { successor: GroupId },
  },
  'no-predecessor': {
    status: 409,
    when: '`successor_of` names no frozen group of which this device is a member, or this user an admin.',
    client: 'Check the group id; reset the group first, or wait for its ReInit.',
    retry: 'no',
  },
  'invalid-commit': {
    status: 422,
    when: 'A Commit, Proposal, GroupInfo or tree decodes and breaks a rule of docs/mls-rules.md; `detail` is the rule in words.',
    client: 'Correct the MLS implementation, or its input: no member would accept it either.',
    retry: 'no',
    members: {
      rule: z.string().meta({ description: 'Name in docs/mls-rules.md' }),
      section: z.string().meta({ description: 'Section of RFC 9420, or the name of another document' }),
    },
  },
  'successor-reserved': {
    status: 403,
    when: 'The group was reset or reinitialised a short while ago; up to `reserved_until` its admins, and who reset it by reports, go first.',
    client: 'Wait for the Welcome into the successor; create one yourself only if none has come by then.',
    retry: 'redo',
    members: { reserved_until: UnixSeconds.optional() },
  },
  'reset-final': {
    status: 409,
    when: 'There is no reset to undo: the group was not reset, the time for it is over, or the successor was replaced in its turn.',
    client: 'Reset the group that is current in the room, and create its successor.',
    retry: 'no',
  },
  'policy-changed': {
    status: 409,
    when: 'The policy has another version by now.',
    client: 'Read the policy again and decide again.',
    retry: 'redo',
  },
  'last-admin': {
    status: 409,
    when: 'The user is the only admin of the group.',
    client: 'Make another user an admin first.',
    retry: 'redo',
  },
  'too-many-proposals': {
    status: 409,
    when: 'Too many proposals, or too many bytes of them, wait for a Commit.',
    client: 'Commit what is pending first.',
    retry: 'redo',
  },
}
