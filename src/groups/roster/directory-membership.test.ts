import { expect, it } from '@jest/globals'
import type { Proposal } from '../../protocol/mls/structures/proposal.js'
import { PolicyRefusal } from '../groups.problems.js'
import { DirectoryMembership } from './directory-membership.js'

const UPDATE = { kind: 'app-data-update', component: 0x23, update: new Uint8Array(6) } satisfies Proposal

const updates: [string, Proposal][] = [
  ['changes the group’s application data', UPDATE],
  ['removes some of it', { kind: 'app-data-update', component: 0x23, update: undefined }],
  ['replaces the group’s extensions', { kind: 'group-context-extensions', extensions: [] }],
]

it.each(updates)('a member who is no admin may not propose what %s, and an admin may', async (_what, proposal) => {
  const membership = membershipWith('rooms')
  await expect(propose(membership, proposal, false)).rejects.toThrow(PolicyRefusal)
  await expect(propose(membership, proposal, true)).resolves.toBeUndefined()
})

it('updates of application data are for admins only where the operator lets them in; removals are everywhere', async () => {
  const membership = membershipWith('removals')
  await expect(propose(membership, UPDATE, true)).rejects.toThrow('only those that remove it')
  await expect(propose(membership, { ...UPDATE, update: undefined }, true)).resolves.toBeUndefined()
})

it.each([UPDATE, { ...UPDATE, update: undefined }])('joiners change the group’s application data as admins only', async (proposal) => {
  const join = (admin: boolean) => commit(membershipWith('rooms'), proposal, { admin, external: true })
  await expect(join(false)).rejects.toThrow(PolicyRefusal)
  await expect(join(true)).rejects.toThrow('looked further')
})

it.each([true, false])('a Commit updates application data only where the operator lets it; from outside: %s', async (external) => {
  const committed = (updates: 'removals' | 'rooms') => commit(membershipWith(updates), UPDATE, { admin: true, external })
  await expect(committed('removals')).rejects.toThrow('only those that remove it')
  await expect(committed('rooms')).rejects.toThrow('looked further')
})

/** A Commit with this Proposal by value: unless it is refused at once, it is looked at for what else it does. */
function commit(membership: DirectoryMembership, proposal: Proposal, { admin, external }: { admin: boolean; external: boolean }) {
  const verdict = {
    external,
    proposals: [{ proposal, sender: { kind: 'member', leafIndex: 0 }, byReference: false }],
    get added(): never {
      throw new Error('looked further')
    },
  }
  return membership.changesOf(contextOf(admin) as never, { groupContext: { extensions: [] } } as never, verdict as never)
}

/** Nothing is read for the proposals here. */
function membershipWith(updates: 'removals' | 'rooms'): DirectoryMembership {
  return new DirectoryMembership({} as never, { APP_DATA_UPDATES: updates } as never, {} as never, {} as never)
}

const contextOf = (admin: boolean) => ({
  caller: { userId: 1n },
  standing: { admin, policy: { addMembers: 'members', removeMembers: 'members' } },
})

function propose(membership: DirectoryMembership, proposal: Proposal, admin: boolean): Promise<unknown> {
  const sent = { proposal, sender: { kind: 'member' as const, leafIndex: 0 }, byReference: true }
  return membership.authorizeProposal(contextOf(admin) as never, { groupContext: { extensions: [] } } as never, sent)
}
