import { describe, expect, it } from '@jest/globals'
import type { Proposal } from 'ts-mls'
import type { Client } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import { requiresCertificates } from '../../../examples/client/identity/group-check.js'
import { suiteName } from '../../../examples/client/mls/suites.js'
import { changePolicy } from '../../../examples/client/policy.js'
import type { Mode } from '../../../examples/client/store.js'
import { toHex, utf8 } from '../../../examples/client/wire.js'
import { at } from '../../support/world.js'
import { useMaliciousServer } from './malicious-server.js'

// What takes the place of a certified group is certified for those who knew that one, whatever the server says of it (docs/identity.md §4).

const evil = useMaliciousServer()
const MODES: Mode[] = ['public', 'private']

/** Members know it from the policy alone: the GroupContext says nothing. */
async function certifiedByPolicy(mode: Mode, alice: Client, bob: Client): Promise<Group> {
  const group = await evil.group(alice, [], { mode, identities: 'any' })
  await changePolicy(group, { identities: 'certified' })
  await group.add(bob.user)
  await evil.sync(bob)
  expect([group, at(bob, group)].map(({ record }) => record.certified)).toEqual([true, true])
  expect(requiresCertificates(group.record.state)).toBe(false)
  return group
}

const idAfter = ({ record }: Group) => utf8(`${toHex(record.groupId)}-2`)
const sayAny = () => evil.lie(/\/policy$/u, (answer) => ({ ...(answer as object), identities: 'any' }))

async function expectCertified(members: readonly Client[], next: Group): Promise<void> {
  const ghost = await evil.ghostOf(members[0]!)
  await ghost.device.publishKeyPackages(1)
  for (const member of members) {
    expect(at(member, next).record.certified).toBe(true)
    await at(member, next).send(`from ${member.uri}`)
    await evil.sync(...members)
  }
  for (const member of members) expect(at(member, next).texts).toHaveLength(members.length)
  // No leaf without a certificate comes in by one of them.
  const [one, other] = [members[0]!, members[1]!]
  expect(other.device.refused).toEqual([])
  await at(other, next).add(one.user)
  expect(other.device.refused).toHaveLength(1)
  expect(at(other, next).members).not.toContain(ghost.uri)
}

describe.each(MODES)('the group that takes the place of a certified %s group', (mode) => {
  it('is certified after a ReInit', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await certifiedByPolicy(mode, alice, bob)
    const reinit: Proposal = {
      proposalType: 'reinit',
      reinit: {
        groupId: idAfter(group),
        version: 'mls10',
        cipherSuite: suiteName(group.record.suite),
        extensions: group.record.state.groupContext.extensions,
      },
    }
    await group.commit(() => [reinit])
    await evil.sync(bob)
    sayAny()
    await alice.beginAfter({ before: group.record, origin: 'reinit', groupId: idAfter(group), users: [bob.user] })
    await evil.sync(bob)
    await expectCertified([alice, bob], alice.group(idAfter(group)))
  })

  it('is certified after a reset, also where its creator asks for less', async () => {
    const [alice, bob] = await evil.cast(['alice', 'bob'])
    const group = await certifiedByPolicy(mode, alice, bob)
    await alice.device.http.post(`${group.path}/reset`)
    await evil.setPolicy(group, "identities = 'any'")
    sayAny()
    const wish = { groupId: idAfter(group), mode, successorOf: group.record.groupId, identities: 'any' } as const
    const next = await alice.createGroup(wish)
    expect(requiresCertificates(next.record.state)).toBe(true)
    await next.add(bob.user)
    await evil.sync(bob)
    await expectCertified([alice, bob], next)
  })

  it('is certified after a reset for members, though a careless creator says nothing of that', async () => {
    const [alice, bob, carol] = await evil.cast(['alice', 'bob', 'carol'])
    const group = await certifiedByPolicy(mode, alice, bob)
    await alice.device.http.post(`${group.path}/reset`)
    await evil.setPolicy(group, "identities = 'any'")
    sayAny()
    alice.device.record.certified = false
    const next = await alice.createGroup({ groupId: idAfter(group), mode, successorOf: group.record.groupId, identities: 'any' })
    await next.add(bob.user, carol.user)
    await evil.sync(bob, carol)
    expect(requiresCertificates(next.record.state)).toBe(false)
    // Carol did not know the group before.
    expect([bob, carol].map((one) => at(one, next).record.certified)).toEqual([true, false])
  })
})
