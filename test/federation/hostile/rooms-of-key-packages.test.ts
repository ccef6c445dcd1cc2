import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, type Proposal } from 'ts-mls'
import type { Client } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import { decodeKeyPackageMessage } from '../../../examples/client/mls/key-package-message.js'
import { suite } from '../../../examples/client/mls/suites.js'
import { draft, submit } from '../../groups/group-fixture.js'
import { useFederation } from '../../support/federated-world.js'
import { agreed, problemOf, type World } from '../../support/world.js'

// A member at the hub, who uses KeyPackages of another provider's user where that provider believes nothing of it.

const federated = useFederation(2)

async function scene(mode: 'public' | 'private') {
  const [home, away] = federated.worlds as [World, World]
  const [mallory] = await home.cast('mallory')
  const [bob] = await away.cast('bob')
  const [first, second] = [await home.group(mallory, [], { mode }), await home.group(mallory, [], { mode })]
  const claimed = async (group: Group): Promise<Proposal> => {
    const { room } = await mallory.device.http.get<{ room: string }>(group.path)
    const { key_packages: given } = await mallory.device.claim(bob.user, 1, room)
    return { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(given[0]!.key_package) } }
  }
  /** One that was not given to this hub: it could be seen in a public room elsewhere. */
  const seen = async (): Promise<Proposal> => {
    const { rows } = await federated.providers[1]!.pool.query<{ bytes: Buffer }>(
      'SELECT k.bytes FROM key_package k JOIN device d ON d.id = k.device_id WHERE d.client_uri = $1 AND NOT k.last_resort AND k.cipher_suite = 1 LIMIT 1',
      [bob.uri],
    )
    return { proposalType: 'add', add: { keyPackage: decodeKeyPackageMessage(new Uint8Array(rows[0]!.bytes)) } }
  }
  const commit = async (group: Group, add: Proposal) => submit(mallory, group, (await draft(group, [add])).bundle)
  return { mallory, bob, first, second, claimed, seen, commit }
}

async function joined(client: Client, group: Group): Promise<void> {
  await client.until('the Welcome', () => client.store.group(group.record.groupId)?.standing === 'member')
  await agreed([client], group)
}

describe.each(['public', 'private'] as const)('in %s groups, a KeyPackage of another provider’s user', (mode) => {
  it('that was claimed for one room brings its device into no other', async () => {
    const { bob, first, second, claimed, commit } = await scene(mode)
    const add = await claimed(first)
    expect((await problemOf(commit(second, add))).document).toMatchObject({ rule: 'key-package-used' })
    // Nothing of it is used up.
    await first.commit(() => [add])
    await joined(bob, first)
  })

  it('that the hub has not passed on, as one that was seen in a room elsewhere, brings it in nowhere here', async () => {
    const { first, claimed, seen, commit } = await scene(mode)
    // Its device is known here.
    await claimed(first)
    const { rule } = (await problemOf(commit(first, await seen()))).document
    // Where the server sees no Add, it knows of no such KeyPackage.
    expect(rule).toBe(mode === 'public' ? 'key-package-used' : 'welcome-unknown-ref')
  })

  it('brings it in once, until its provider gives it again', async () => {
    const { bob, first, claimed, commit } = await scene(mode)
    // Or he would replace his last resort.
    await bob.disconnect()
    await federated.providers[1]!.pool.query('DELETE FROM key_package WHERE NOT last_resort')
    const add = await claimed(first)
    await first.commit(() => [add])
    await first.remove(bob.uri)
    expect((await problemOf(commit(first, add))).document).toMatchObject({ rule: 'key-package-used' })
    expect(await claimed(first)).toEqual(add)
    await first.commit(() => [add])
    bob.connect()
    await joined(bob, first)
  })
})

it('a KeyPackage that a node of the release before passed on, for no room, is good for any', async () => {
  const { bob, first, second, claimed } = await scene('public')
  const add = await claimed(first)
  await federated.providers[0]!.pool.query('DELETE FROM foreign_key_package')
  await second.commit(() => [add])
  expect(second.members).toContain(bob.uri)
})

it('a Proposal to add a device of another provider shows a KeyPackage that was claimed for its room', async () => {
  const { mallory, first, second, claimed, seen } = await scene('public')
  const propose = async (group: Group, add: Proposal) => {
    const { message } = await createProposal(group.record.state, true, add, (await suite(1)).impl)
    await mallory.device.http.post(`${group.path}/proposals`, { proposal: encodeMlsMessage(message) })
  }
  const add = await claimed(first)
  expect((await problemOf(propose(first, await seen()))).document).toMatchObject({ rule: 'key-package-used' })
  expect((await problemOf(propose(second, add))).document).toMatchObject({ rule: 'key-package-used' })
  await propose(first, add)
})
