import type { SubmitCommit, SubmitProposal } from '../../groups/groups.dto.js'
import { decodeIncoming } from '../../platform/http/incoming-message.js'
import { Undecodable } from '../../platform/http/problem.js'
import type { ExtendedUpdateRequest } from '../../protocol/mimi/microchat/submissions.js'

/** What a local client submits, as the hub takes it. @throws for what could not even be written down there */
export function updateOf(client: string, body: SubmitCommit): ExtendedUpdateRequest {
  requireKind(body.commit, 'commit')
  for (const welcome of body.welcomes ?? []) requireKind(welcome, 'welcome')
  if (body.group_info) requireKind(body.group_info, 'group-info')
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

/** The same of a proposal. @throws Undecodable */
export function proposalUpdateOf(client: string, { proposal }: SubmitProposal): ExtendedUpdateRequest {
  requireKind(proposal, 'proposal')
  const none = { moreWelcomes: [], joinCode: undefined, removed: [], reinit: false }
  return { base: { kind: 'proposals', proposals: [proposal] }, sendingClient: client, ...none }
}

type Kind = 'commit' | 'proposal' | 'application' | 'welcome' | 'group-info' | 'key-package'

/**
 * What a local client sends to a hub is read here too, by both readers, before it is passed on.
 * @throws Undecodable for what is no MLSMessage, or one of another kind
 */
export function requireKind(bytes: Uint8Array, kind: Kind): void {
  const decoded = decodeIncoming(bytes)
  if (decoded.kind === 'malformed') throw new Undecodable(`The ${kind} is not an MLSMessage: ${decoded.reason}.`)
  const { wireFormat, body } = decoded.value
  const found = wireFormat === 'public-message' ? body.content.kind : wireFormat === 'private-message' ? body.contentType : wireFormat
  if (found !== kind) throw new Undecodable(`Expected a ${kind}, but the MLSMessage is a ${found}.`)
}
