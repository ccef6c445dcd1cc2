import { Epoch } from '../../platform/http/bytes.js'
import type { ProblemTypes } from '../../platform/http/problem-types.js'
import { Problem } from '../../platform/http/problem.js'

/** One answer for all that is not a member's: an unknown group is not told from one whose key is not known. */
export class MemberProofRefused extends Problem {
  constructor(why: string) {
    super(403, 'member-proof', `The sender is not proven to be a member: ${why}.`)
  }
}
/** Somebody leaves or was revoked, and could still sign as a member: a Commit has to come first. */
export class CommitRequired extends Problem {
  constructor(currentEpoch: bigint) {
    super(409, 'commit-required', 'A member has to commit pending Removes before anyone posts without a sender.', {
      current_epoch: currentEpoch,
    })
  }
}
/** A user's key of an epoch is published once. */
export class SenderKeyTaken extends Problem {
  constructor() {
    super(409, 'sender-key-taken', 'This user has published another key for this epoch.')
  }
}
/** The proof that comes with a sender key does not verify under that key. */
export class PossessionUnproved extends Problem {
  constructor() {
    super(422, 'possession-unproved', 'The proof is not a signature by this key over this group, epoch and user.')
  }
}

export const SEALED_PROBLEMS: ProblemTypes = {
  'member-proof': {
    status: 403,
    when: 'The post is not proved to be a member’s. An unknown group is answered the same.',
    client: 'Check the epoch and the signature (docs/sealed-sender.md); publish the sender key if nobody has.',
    retry: 'redo',
  },
  'commit-required': {
    status: 409,
    when: 'A removal is pending, and the device that is to go could still sign as a member.',
    client: 'Commit the pending proposals, or wait until somebody has.',
    retry: 'redo',
    members: { current_epoch: Epoch },
  },
  'sender-key-taken': {
    status: 409,
    when: 'This user has published another key for this epoch.',
    client: 'Compare what your devices derived: one of them is wrong.',
    retry: 'no',
  },
  'possession-unproved': {
    status: 422,
    when: 'The proof is not a signature by this key over this group, epoch and user.',
    client: 'Correct what is signed (docs/sealed-sender.md).',
    retry: 'no',
  },
}
