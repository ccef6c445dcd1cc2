import type { SubmitCommit } from '../../groups/commit/commit.dto.js'
import { framingOf } from '../../protocol/mimi/framing.js'
import { Undecodable } from '../../platform/http/problem.js'
import type { ExtendedUpdateRequest } from '../../protocol/mimi/microchat/submissions.js'

/** What a client of ours submits, as the hub takes it. @throws for what could not even be written down there */
export function updateOf(client: string, body: SubmitCommit): ExtendedUpdateRequest {
  if (framingOf(body.commit) !== 'commit') throw new Undecodable('The commit is not a Commit.')
  for (const welcome of body.welcomes ?? []) if (framingOf(welcome) !== 'welcome') throw new Undecodable('A welcome is not a Welcome.')
  if (body.group_info && framingOf(body.group_info) !== 'group-info') throw new Undecodable('The group_info is not a GroupInfo.')
  const [welcome, ...moreWelcomes] = body.welcomes ?? []
  return {
    base: {
      kind: 'commit',
      commit: body.commit,
      welcome,
      groupInfo: body.group_info,
      tree: body.ratchet_tree ? { kind: 'full', tree: body.ratchet_tree } : { kind: 'distribution-service' },
    },
    sendingClient: client,
    moreWelcomes,
    joinCode: body.join_code,
    removed: body.removed ?? [],
    reinit: body.reinit ?? false,
  }
}
