import type { SubmitCommit } from '../../groups/groups.dto.js'
import type { Problem } from '../../platform/http/problem.js'
import type { SubmitMessageResponse } from '../../protocol/mimi/submit-message.js'
import type { UpdateRequest, UpdateResponse } from '../../protocol/mimi/update.js'

type CommitOfUpdate = Extract<UpdateRequest, { kind: 'commit' }>

/** The Commit of an update as a local client would submit it. @param moreWelcomes all but the first, which the update has */
export function commitOf({ commit, welcome, groupInfo, tree }: CommitOfUpdate, moreWelcomes: readonly Uint8Array[] = []): SubmitCommit {
  const welcomes = [...(welcome ? [welcome] : []), ...moreWelcomes]
  return {
    commit,
    ...(welcomes.length > 0 && { welcomes }),
    ...(groupInfo && { group_info: groupInfo }),
    ...(tree.kind === 'full' && { ratchet_tree: tree.tree }),
  }
}

/** The draft's answer to an update for what a client gets as a problem. */
export function updateRefusal({ type, detail, extension }: Problem): UpdateResponse {
  const currentEpoch = extension['current_epoch']
  if (typeof currentEpoch === 'bigint' && !type.startsWith('proposals-')) return { code: 'wrong-epoch', description: detail, currentEpoch }
  return { code: 'not-allowed', description: `${type}: ${detail}`.slice(0, 500) }
}

/** The same for a post. */
export function submitRefusal({ type, extension }: Problem): SubmitMessageResponse {
  const currentEpoch = extension['current_epoch']
  return type === 'stale-epoch' && typeof currentEpoch === 'bigint' ? { code: 'epoch-too-old', currentEpoch } : { code: 'not-allowed' }
}
