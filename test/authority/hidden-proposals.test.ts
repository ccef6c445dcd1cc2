import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import { members } from '../../examples/client/commits.js'
import type { Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { utf8 } from '../../examples/client/wire.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'
import { addOf, reinitOf, removeOf, withoutExternalSenders } from './scene-fixture.js'

const stage = useStage()
const POLICY = { add_members: 'admins', remove_members: 'admins', external_join: 'none' } as const

async function propose(client: Client, group: Group, proposal: Proposal): Promise<void> {
  const own = at(client, group)
  const { message } = await createProposal(own.record.state, false, proposal, (await suite(1)).impl)
  await client.device.http.post(`${group.path}/proposals`, { proposal: encodeMlsMessage(message) })
}
const pskOfNobodyElse = (): Proposal => ({
  proposalType: 'psk',
  psk: { preSharedKeyId: { psktype: 'external', pskId: utf8('mine'), pskNonce: new Uint8Array(32) } },
})
const present = (client: Client, group: Group) => members(at(client, group).record.state).map((member) => member.client)

describe('a hidden Proposal of a plain member of a private group', () => {
  const forbidden: [
    string,
    (scene: { mallory: Client; victim: Client; stranger: Client; group: Group }) => Proposal | Promise<Proposal>,
  ][] = [
    ['to remove another one', ({ mallory, victim, group }) => removeOf(at(mallory, group), victim)[0]!],
    ['to add somebody', ({ mallory, stranger, group }) => addOf(at(mallory, group), stranger)],
    ['to reinitialize', ({ mallory, group }) => reinitOf(at(mallory, group))],
    ['to change the extensions', withoutExternalSenders],
    ['to mix in a PSK that it alone has', pskOfNobodyElse],
  ]
  it.each(forbidden)('%s is carried out by nobody, and stops nobody', async (_what, proposal) => {
    const [alice, bob, mallory, victim, stranger] = await stage.cast('alice', 'bob', 'mallory', 'victim', 'stranger')
    const group = await stage.group(alice, [bob, mallory, victim], { mode: 'private', policy: POLICY })
    await propose(mallory, group, await proposal({ mallory, victim, stranger, group }))
    await stage.sync(alice, bob)
    await at(bob, group).send('hello')
    await stage.sync(alice, victim)
    await group.send('hello')
    await stage.sync(victim)
    expect(present(victim, group)).toEqual([alice, bob, mallory, victim].map(({ uri }) => uri))
    expect(at(victim, group).record.messages.map(({ text }) => text)).toEqual(['hello', 'hello'])
  })

  it('is refused to a client that carries it out without looking', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob, mallory], { mode: 'private', policy: POLICY })
    await propose(mallory, group, removeOf(at(mallory, group), alice)[0]!)
    await stage.sync(bob)
    expect(await refusal(submit(bob, group, (await draft(at(bob, group))).bundle))).toMatchObject({ status: 403, kind: 'policy' })
  })

  it('of an admin is carried out by an admin’s client, and waits for it at the others', async () => {
    const [alice, bob, carol, victim] = await stage.cast('alice', 'bob', 'carol', 'victim')
    const group = await stage.group(alice, [bob, carol, victim], { mode: 'private', policy: POLICY })
    await alice.device.http.put(`${group.path}/admins/${carol.user.split('/u/')[1]}`)
    await propose(carol, group, removeOf(at(carol, group), victim)[0]!)
    await stage.sync(alice)
    await group.send('out')
    await stage.sync(bob)
    expect(present(bob, group)).toEqual([alice, bob, carol].map(({ uri }) => uri))
    await at(bob, group).send('hello')
  })
})
