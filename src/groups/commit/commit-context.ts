import type { Caller } from '../../authentication/session/caller.js'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import type { SubmissionAccess } from '../access/access.js'
import type { Bundle } from '../input/bundle.js'
import type { AddedDevice, CommitSubmission, Followup, RemovedDevice } from '../repository/submissions.repository.js'
import type { Vouchers } from '../roster/vouchers.js'
import type { Tracked } from '../state/state-cache.js'

/** Who submits something to which group, with what is known of it at that moment. */
export interface SubmissionContext extends SubmissionAccess {
  caller: Caller
}

export interface CommitContext extends SubmissionContext {
  bundle: Bundle
  /** By whose certificates a joiner from outside has its right; undefined: by another one, or it is a member. */
  vouchers?: Vouchers | undefined
}

/** What a Commit was found to change: everything that the one SQL function writes besides the entry itself. */
export interface Judged extends Pick<
  CommitSubmission,
  'external' | 'freshRefs' | 'freshDevices' | 'welcomes' | 'groupInfo' | 'tree' | 'claimedRemoved' | 'reinit' | 'announced' | 'certificates'
> {
  added: readonly (AddedDevice & { userId: bigint })[]
  /** Devices of others that the committer puts in by its own decision; those that were proposed have counted for who proposed them. */
  putIn: readonly bigint[]
  removed: readonly RemovedDevice[]
  followups: readonly Followup[]
  /** Devices on their way out for which the server cannot sign a Remove in the new epoch. */
  unsigned: readonly bigint[]
  /** Public mode: the state before and after, for the cache. */
  states: { before: Tracked; next: PublicGroupState } | undefined
}
