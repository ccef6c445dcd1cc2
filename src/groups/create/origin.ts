import { InvalidRequest } from '../../platform/http/problem.js'
import { sameBytes } from '../../protocol/bytes.js'
import type { Extension } from '../../protocol/mls/structures/extension.js'
import type { GroupContext } from '../../protocol/mls/structures/group-info.js'
import type { ReInit } from '../../protocol/mls/structures/proposal.js'
import { refuseFrozen, type Access } from '../access/access.js'
import { InvalidCommit, NotASuccessor } from '../groups.problems.js'
import type { CreateGroup } from './create-group.dto.js'

/** The group before a new one, and where its creator stands there. */
export interface Origin extends Access {
  kind: 'successor' | 'branch'
  /** What the ReInit of a public group said about the group to come. */
  announced: ReInit | undefined
}

/** The group that a request names as the one before. */
export function originIn(body: CreateGroup): (Pick<Origin, 'kind'> & { groupId: Uint8Array }) | undefined {
  const { successor_of: successor, branch_of: branch } = body
  if (successor && branch) throw new InvalidRequest('A group is a successor or a branch: leave out successor_of or branch_of.')
  if (successor) return { kind: 'successor', groupId: successor }
  return branch && { kind: 'branch', groupId: branch }
}

/**
 * Whether a group begins at epoch 1, with members: after a ReInit or as a branch (RFC 9420 §11.2, §11.3), and only then.
 * @throws what keeps a group at epoch 1 from being tied to the one before it
 */
export function beginsWithMembers(origin: Origin | undefined, { epoch }: GroupContext): boolean {
  if (!origin || epoch !== 1n) return false
  if (origin.kind === 'branch') refuseFrozen(origin.group)
  else if (!origin.group.frozen) throw new NotASuccessor()
  else if (origin.group.frozen !== 'reinit') throw new InvalidCommit('group-info-epoch')
  return true
}

/** What the new group has to have in common with the one before it, or with what that announced. */
export function refuseOtherParameters({ kind, group, announced }: Origin, context: GroupContext): void {
  if (kind === 'branch' && context.cipherSuite !== group.cipherSuite) throw new InvalidCommit('branch-mismatch')
  if (!announced) return
  const same = sameBytes(announced.groupId, context.groupId) && announced.cipherSuite === context.cipherSuite
  // At epoch 0 its members can still change them by a Commit; at epoch 1 they would refuse the Welcome (RFC 9420 §11.2).
  const whole = context.epoch === 0n || (announced.version === context.version && sameExtensions(announced.extensions, context.extensions))
  if (!same || !whole) throw new InvalidCommit('reinit-mismatch')
}

function sameExtensions(one: readonly Extension[], other: readonly Extension[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ type, data }, index) => {
      const counterpart = other[index]
      return counterpart?.type === type && sameBytes(counterpart.data, data)
    })
  )
}
