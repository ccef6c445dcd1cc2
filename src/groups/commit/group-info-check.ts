import { sameBytes } from '../../protocol/mls/same-bytes.js'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import { InvalidCommit } from '../groups.problems.js'
import { describedEpoch, hasExternalPub } from '../state/described-epoch.js'
import type { CommitContext } from './commit-context.js'

/**
 * Where external joins are on, a GroupInfo is mandatory, and one that can be joined by (RFC 9420 §12.4.3.2). After a
 * ReInit nobody joins any more. In a public group the GroupInfo itself is checked with the Commit.
 */
export function checkGroupInfo({ bundle, standing }: Pick<CommitContext, 'bundle' | 'standing'>, reinit: boolean): void {
  if (standing.policy.externalJoin === 'none' || reinit) return
  if (!bundle.groupInfo) throw new InvalidCommit('group-info-missing', '12.4.3')
  if (!hasExternalPub(bundle.groupInfo.value)) throw new InvalidCommit('group-info-external-pub', '12.4.3.2')
}

/** An external Commit to a private group: the GroupInfo is the only description of the new epoch, and has to be ours. */
export async function checkHiddenGroupInfo(context: CommitContext, next: PublicGroupState): Promise<void> {
  checkGroupInfo(context, false)
  const { groupInfo } = context.bundle
  if (!groupInfo) throw new InvalidCommit('group-info-missing', '12.4.3')
  const expected = { groupId: next.groupContext.groupId, cipherSuite: next.groupContext.cipherSuite, epoch: next.groupContext.epoch }
  const described = await describedEpoch(groupInfo.value, next.tree.nodes(), expected)
  if (!sameBytes(described.groupContext.bytes, next.groupContext.bytes)) throw new InvalidCommit('group-info-context', '12.4.3')
}
