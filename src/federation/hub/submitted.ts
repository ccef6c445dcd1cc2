import type { SubmitCommit } from '../../groups/groups.dto.js'
import { decodeIncoming } from '../../platform/http/incoming-message.js'
import { Undecodable, type Problem } from '../../platform/http/problem.js'
import { isGroupId } from '../../protocol/identifiers.js'
import type { ExtendedUpdateRequest } from '../../protocol/mimi/microchat/submissions.js'
import type { SubmitMessageResponse } from '../../protocol/mimi/submit-message.js'
import type { UpdateRequest, UpdateResponse } from '../../protocol/mimi/update.js'

/** An update as a local client would submit it. */
export function commitOf(base: Extract<UpdateRequest, { kind: 'commit' }>, request: ExtendedUpdateRequest): SubmitCommit {
  const { commit, welcome, groupInfo, tree } = base
  const welcomes = [...(welcome ? [welcome] : []), ...request.moreWelcomes]
  return {
    commit,
    ...(welcomes.length > 0 && { welcomes }),
    ...(groupInfo && { group_info: groupInfo }),
    ...(tree.kind === 'full' && { ratchet_tree: tree.tree }),
    ...(request.removed.length > 0 && { removed: [...request.removed] }),
    ...(request.reinit && { reinit: true }),
    ...(request.joinCode !== undefined && { join_code: request.joinCode }),
  }
}

export function groupIdOf(message: Uint8Array): Uint8Array {
  const decoded = decodeIncoming(message)
  const groupId = decoded.kind === 'decoded' && 'groupId' in decoded.value.body ? decoded.value.body.groupId : undefined
  if (groupId && isGroupId(groupId)) return groupId
  throw new Undecodable('The message names no group.')
}

/** The draft's answer to what a client would be told as a problem. */
export function updateRefusal({ type, detail, extension }: Problem): UpdateResponse {
  const currentEpoch = extension['current_epoch']
  if (typeof currentEpoch === 'bigint' && type !== 'proposals-pending') return { code: 'wrong-epoch', description: detail, currentEpoch }
  return { code: 'not-allowed', description: `${type}: ${detail}`.slice(0, 500) }
}

export function submitRefusal({ type, extension }: Problem): SubmitMessageResponse {
  const currentEpoch = extension['current_epoch']
  return type === 'stale-epoch' && typeof currentEpoch === 'bigint' ? { code: 'epoch-too-old', currentEpoch } : { code: 'not-allowed' }
}
