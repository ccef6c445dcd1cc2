import { expect, it } from '@jest/globals'
import type { Proposal } from '../../protocol/mls/structures/proposal.js'
import { PolicyRefusal } from '../groups.problems.js'
import { DirectoryMembership } from './directory-membership.js'

const updates: [string, Proposal][] = [
  ['changes the group’s application data', { kind: 'app-data-update', component: 0x23, update: new Uint8Array(6) }],
  ['removes some of it', { kind: 'app-data-update', component: 0x23, update: undefined }],
  ['replaces the group’s extensions', { kind: 'group-context-extensions', extensions: [] }],
]

it.each(updates)('a member who is no admin may not propose what %s, and an admin may', async (_what, proposal) => {
  // Nothing is read for these proposals.
  const membership = new DirectoryMembership({} as never, {} as never, {} as never, {} as never)
  const propose = (admin: boolean) => {
    const context = { caller: { userId: 1n }, standing: { admin, policy: { addMembers: 'members', removeMembers: 'members' } } }
    const sent = { proposal, sender: { kind: 'member' as const, leafIndex: 0 }, byReference: true }
    return membership.authorizeProposal(context as never, { groupContext: { extensions: [] } } as never, sent)
  }
  await expect(propose(false)).rejects.toThrow(PolicyRefusal)
  await expect(propose(true)).resolves.toBeUndefined()
})
