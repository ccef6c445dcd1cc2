import type { GroupPolicy } from '../policy/policy.js'

export type Verdict = { kind: 'allowed' } | { kind: 'refused'; why: string }

const ALLOWED: Verdict = { kind: 'allowed' }
const refused = (why: string): Verdict => ({ kind: 'refused', why })

/** Why a device's interval ended; `resync` replaced its own leaf. */
export type Ended = 'removed' | 'left' | 'revoked' | 'resync'

/** What the group remembers of the user whose device wants in without an invitation. */
export interface Joiner {
  banned: boolean
  /** This very device was removed by somebody else, and has not been added since. */
  removed: boolean
  /** One of the user's devices is a member now. */
  present: boolean
  /** The device itself has a leaf, also while it is leaving: it replaces that one. */
  inside: boolean
  /** A device of its user that has a leaf lets it in by its certificate (docs/identity.md §4, External joins). */
  vouched: boolean
  /** How the user's last device got out, if none is in. */
  lastEnded: Ended | null
  /** Whether the code that came along is the group's. */
  codeMatches: boolean
}

/**
 * External Commits (RFC 9420 §12.4.3.2) need no member's consent, so the policy is all that stands before them.
 * A device may replace its own leaf, or join where one that is in has certified it: that the server, or a stolen session, says whose device it is
 * makes no member. A user who was removed may not come back this way.
 */
export function judgeExternalJoin(policy: Pick<GroupPolicy, 'externalJoin'>, joiner: Joiner): Verdict {
  if (joiner.banned) return refused('This user is banned from the group.')
  if (policy.externalJoin === 'none') return refused('The group takes no external joins.')
  // Or to throw out a device would have no effect while its user has another one in the group.
  if (joiner.removed) return refused('A device that was removed comes back by an invitation only.')
  if (joiner.inside || (joiner.present && joiner.vouched)) return ALLOWED
  if (!joiner.present && joiner.lastEnded === 'removed') return refused('Who was removed comes back by an invitation only.')
  if (policy.externalJoin === 'open') return ALLOWED
  if (policy.externalJoin === 'same-user') return refused('Only a device that one in the group has certified may join by itself.')
  return joiner.codeMatches ? ALLOWED : refused('The join code is missing or wrong.')
}

/** What a Commit wants to change, by user. */
export interface RosterChange {
  /** Who wants it: the committer of what a Commit does by value, the proposer of a Proposal. */
  by: { userId: bigint; admin: boolean }
  /** `authorized`: it was proposed, and its proposer was judged then; any committer carries it out. */
  added: readonly { userId: bigint; banned: boolean; authorized?: boolean }[]
  /** `admin`: the user is one of the group's admins. */
  removed: readonly { userId: bigint; reason: Ended; admin?: boolean; authorized?: boolean }[]
  /** ReInit (RFC 9420 §12.1.5) ends the group for all, as a reset does. */
  reinit: boolean
  /**
   * It replaces the group's extensions (RFC 9420 §12.1.7): what members have to support, and the external senders, by one of which the server
   * proposes Removes. Absent: it does not.
   */
  extensions?: boolean
}

/** A member's Commit or Proposal. One's own devices are one's own affair; nobody needs a right to let those go who asked to or must. */
export function judgeRosterChange(policy: Pick<GroupPolicy, 'addMembers' | 'removeMembers'>, change: RosterChange): Verdict {
  const { by } = change
  if (change.added.some((device) => device.banned)) return refused('A banned user cannot be added.')
  if (by.admin) return ALLOWED
  if (change.reinit) return refused('Only admins may reinitialize the group.')
  // Or a stolen device could see to it that nobody proposes to remove it, or anybody that no other client is added.
  if (change.extensions) return refused('Only admins may change the extensions of the group.')
  const addsOthers = change.added.some((device) => device.userId !== by.userId && !device.authorized)
  if (policy.addMembers === 'admins' && addsOthers) return refused('Only admins may add members.')
  const thrownOut = change.removed.filter((device) => device.reason === 'removed' && !device.authorized)
  if (policy.removeMembers === 'admins' && thrownOut.length > 0) return refused('Only admins may remove members.')
  // Who throws out the last admin could inherit its rights.
  if (thrownOut.some(({ admin }) => admin)) return refused('Only admins may remove an admin.')
  return ALLOWED
}

/**
 * Who proposed a Remove: this server as external sender, a user, or somebody who cannot be seen. In a private group the committer says for each
 * device whether it removes it or lets it go, and for one that is let go stands what the server said of it.
 */
export type Proposer = 'server' | 'unseen' | bigint

/** Who wants a device out, and what was known when the Commit or Proposal was judged. */
export interface RemovalWish {
  committerUserId: bigint
  proposer: Proposer
  /** The proposer, or else the committer, is an admin. */
  admin: boolean
  /** The device had asked to leave, or was revoked. */
  pending: 'leave' | 'revoke' | undefined
}

/**
 * Why a device is out after a Commit: by its own user's will, on the server's word, or by somebody else's decision. An admin's own Remove is its
 * decision, also where the device had asked to leave or was revoked: that would keep the way back open. Of all others the Remove counts as
 * letting go, once the device had asked.
 */
export function removalReason(userId: bigint, by: RemovalWish): Ended {
  const ownWill = userId === by.committerUserId || userId === by.proposer
  const decided = by.admin && by.proposer !== 'server' && by.proposer !== 'unseen'
  if (!ownWill && (decided || !by.pending)) return 'removed'
  return by.pending === 'revoke' ? 'revoked' : 'left'
}
