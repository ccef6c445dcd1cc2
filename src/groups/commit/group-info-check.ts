import { InvalidCommit } from '../groups.problems.js'
import { hasExternalPub } from '../state/described-epoch.js'
import type { CommitContext } from './commit-context.js'

/**
 * Where external joins are on, a GroupInfo is mandatory, and one that can be joined by (RFC 9420 §12.4.3.2). After a
 * ReInit nobody joins any more. The GroupInfo itself is checked with a Commit that can be read.
 */
export function checkGroupInfo({ bundle, standing }: Pick<CommitContext, 'bundle' | 'standing'>, reinit: boolean): void {
  if (standing.policy.externalJoin === 'none' || reinit) return
  if (!bundle.groupInfo) throw new InvalidCommit('group-info-missing')
  if (!hasExternalPub(bundle.groupInfo.value)) throw new InvalidCommit('group-info-external-pub')
}
