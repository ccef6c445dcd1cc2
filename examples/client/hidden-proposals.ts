import type { Proposal } from 'ts-mls'
import { members } from './commits.js'
import type { Device } from './device.js'
import type { GroupRecord } from './store.js'
import { toBase64Url } from './wire.js'
import { clientOfCredential } from './x509/chain.js'

interface Policy {
  add_members: 'members' | 'admins'
  remove_members: 'members' | 'admins'
  admins: string[]
}

/**
 * In a private group the server cannot see what members propose, so each client leaves out of its Commit what the policy forbids: to who proposed
 * it, and to who commits, since the server takes a Commit for its sender's own will. The admins' clients carry out the admins' Proposals.
 */
export async function leaveOutForbidden(device: Device, record: GroupRecord): Promise<void> {
  record.voided = [...(record.voided ?? []), ...(await forbiddenAmongPending(device, record))]
}

/** @returns the ProposalRefs of those that wait, as `unappliedProposals` names them */
async function forbiddenAmongPending(device: Device, { groupId, state }: GroupRecord): Promise<string[]> {
  const pending = Object.entries(state.unappliedProposals)
  if (pending.length === 0) return []
  const policy = await device.http.get<Policy>(`/v1/groups/${toBase64Url(groupId)}/policy`)
  const users = new Map(members(state).map(({ client, leafIndex }) => [leafIndex, userOf(client)]))
  return pending.flatMap(([ref, { proposal, senderLeafIndex }]) => {
    const sender = senderLeafIndex === undefined ? undefined : users.get(senderLeafIndex)
    // What comes from outside is public, and the server has judged it.
    if (sender === undefined) return []
    const allowed = [sender, userOf(device.client)].every((user) => mayDo(user, proposal, policy, users))
    return allowed ? [] : [ref]
  })
}

function mayDo(user: string, proposal: Proposal, policy: Policy, users: ReadonlyMap<number, string>): boolean {
  if (policy.admins.includes(user)) return true
  switch (proposal.proposalType) {
    case 'add': {
      const { credential } = proposal.add.keyPackage.leafNode
      const own = userOf(clientOfCredential(credential)) === user
      return own || policy.add_members === 'members'
    }
    case 'remove': {
      const target = users.get(proposal.remove.removed)
      return target === user || (policy.remove_members === 'members' && !policy.admins.includes(target ?? ''))
    }
    case 'reinit':
    case 'psk':
    case 'group_context_extensions':
      return false
    default:
      return true
  }
}

/** `mimi://<domain>/d/<user>/<device>` → `mimi://<domain>/u/<user>` */
function userOf(client: string): string {
  return client.replace(/\/d\/([^/]+)\/[^/]+$/u, '/u/$1')
}
