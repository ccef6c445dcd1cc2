import { describe, expect, it } from '@jest/globals'
import { createProposal, encodeMlsMessage, proposeAddExternal, type Proposal } from 'ts-mls'
import type { Client } from '../../examples/client/client.js'
import { members } from '../../examples/client/commits.js'
import type { Accepted, Group } from '../../examples/client/group.js'
import { decodeKeyPackageMessage } from '../../examples/client/mls/key-package-message.js'
import { suite } from '../../examples/client/mls/suites.js'
import { MEMBERSHIP, type Membership } from '../../src/groups/roster/membership.js'
import { lifetimeLimits } from '../../src/key-packages/check-key-package.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'
import { groupInfoOf } from '../groups/hostile.js'

const stage = useStage()
const ADMINS = { add_members: 'admins', remove_members: 'admins' } as const
const DAY_MS = 86_400_000

const local = (client: Client) => client.user.split('/u/')[1]!
const send = ({ device }: Pick<Client, 'device'>, group: Group, proposal: Uint8Array) =>
  device.http.post<Accepted>(`${group.path}/proposals`, { proposal })
const put = (client: Client, group: Group, path: string, body: unknown = {}) => client.device.http.put(`${group.path}/${path}`, body)

async function propose(group: Group, proposal: Proposal): Promise<Accepted> {
  const { state, suite: id, mode } = group.record
  const { message } = await createProposal(state, mode === 'public', proposal, (await suite(id)).impl)
  return send(group, group, encodeMlsMessage(message))
}

async function addOf(by: Client, target: Client): Promise<Proposal> {
  const { key_packages: claimed } = await by.device.claim(target.user, 1)
  return {
    proposalType: 'add',
    add: { keyPackage: decodeKeyPackageMessage(claimed.find(({ client }) => client === target.uri)!.key_package) },
  }
}

function removeOf(group: Group, target: Client): Proposal {
  const removed = members(group.record.state).find(({ client }) => client === target.uri)!.leafIndex
  return { proposalType: 'remove', remove: { removed } }
}

/** A stranger asks to be added (RFC 9420 §12.1.8). */
async function ask(client: Client, group: Group): Promise<Accepted> {
  const own = await client.device.newKeyPackage(1)
  client.device.record.keyPackages.set(own.ref, own)
  const proposal = await proposeAddExternal(await groupInfoOf(group), own.public, own.private, (await suite(1)).impl)
  return send(client, group, encodeMlsMessage(proposal))
}

/** The refusal of a Commit of all that waits names the entries to leave out, and the client library does so. */
async function goesOn(group: Group, by: Client, ...void_: number[]): Promise<void> {
  await stage.sync(by)
  const { bundle } = await draft(at(by, group))
  const refused = await refusal(submit(by, group, bundle))
  expect(refused).toMatchObject({ status: 409, kind: 'proposals-void', document: { current_epoch: at(by, group).epoch } })
  expect(refused.document['proposals']).toMatchObject(void_.map((seq) => ({ seq, kind: 'proposal' })))
  await at(by, group).update()
}

describe.each(['public', 'private'] as const)('a stranger whose Add waits in a %s group', (mode) => {
  async function asked() {
    const [alice, bob, mallory, tablet, neighbour] = await stage.cast('alice', 'bob', 'mallory', 'mallory/tablet', 'neighbour')
    const group = await stage.group(alice, [bob], { mode, policy: { ...ADMINS, external_join: 'open' } })
    const { seq } = await ask(tablet, group)
    return { alice, bob, mallory, neighbour, group, seq }
  }

  const changes: [string, (scene: Awaited<ReturnType<typeof asked>>) => Promise<unknown>][] = [
    ['is banned', ({ alice, group, mallory }) => put(alice, group, `bans/${local(mallory)}`)],
    ['revokes the device', ({ mallory }) => mallory.device.revoke('tablet')],
    ['may not join any more, as the policy says now', ({ alice, group }) => put(alice, group, 'policy', { external_join: 'same-user' })],
  ]
  it.each(changes)('and who %s, stops nobody', async (_, change) => {
    const scene = await asked()
    await change(scene)
    await goesOn(scene.group, scene.bob, scene.seq)
    expect(at(scene.bob, scene.group).members).toEqual([scene.alice.uri, scene.bob.uri])
    await stage.sync(scene.alice)
    await scene.group.update()
  })

  it('and whose KeyPackage expires, stops nobody', async () => {
    const { alice, bob, group, seq } = await asked()
    const membership = stage.server.app.get<Membership>(MEMBERSHIP, { strict: false })
    const later = () => lifetimeLimits(new Date(Date.now() + 400 * DAY_MS), stage.server.config.KEY_PACKAGE_MAX_LIFETIME)
    Object.assign(membership, { lifetimes: later })
    try {
      await goesOn(group, bob, seq)
    } finally {
      Reflect.deleteProperty(membership, 'lifetimes')
    }
    expect(at(bob, group).members).toEqual([alice.uri, bob.uri])
  })

  it('and who is banned, does not keep out another one who asked', async () => {
    const { alice, bob, mallory, neighbour, group, seq } = await asked()
    await ask(neighbour, group)
    await put(alice, group, `bans/${local(mallory)}`)
    await goesOn(group, bob, seq)
    expect(at(bob, group).members).toEqual([alice.uri, bob.uri, neighbour.uri])
    await stage.sync(alice, neighbour)
    expect(at(neighbour, group).epochAuthenticator).toBe(at(bob, group).epochAuthenticator)
  })

  it('is let in while none of that is so', async () => {
    const { alice, bob, group } = await asked()
    await stage.sync(bob)
    await at(bob, group).update()
    expect(at(bob, group).members).toHaveLength(3)
    await stage.sync(alice)
    expect(group.members).toHaveLength(3)
  })
})

describe('what a member proposed who has lost the right to it', () => {
  const reinitOf = ({ record }: Group): Proposal => ({
    proposalType: 'reinit',
    reinit: {
      groupId: Buffer.from(String(Math.random())),
      version: 'mls10',
      cipherSuite: record.state.groupContext.cipherSuite,
      extensions: [],
    },
  })
  const wishes: [string, (group: Group, bob: Client, carol: Client, dave: Client) => Proposal | Promise<Proposal>][] = [
    ['a Remove', (group, _bob, carol) => removeOf(group, carol)],
    ['an Add', (_group, bob, _carol, dave) => addOf(bob, dave)],
    ['a ReInit', reinitOf],
  ]
  it.each(wishes)('is carried out by nobody’s Commit, also not by an admin’s: %s', async (_, wish) => {
    const [alice, bob, carol, dave] = await stage.cast('alice', 'bob', 'carol', 'dave')
    const group = await stage.group(alice, [bob, carol], { policy: ADMINS })
    await put(alice, group, `admins/${local(bob)}`)
    const { seq } = await propose(at(bob, group), await wish(group, bob, carol, dave))
    await alice.device.http.delete(`${group.path}/admins/${local(bob)}`)
    await goesOn(group, alice, seq)
    await stage.sync(carol)
    await at(carol, group).update()
    expect(at(carol, group).members).toEqual([alice.uri, bob.uri, carol.uri])
  })

  it('is void where the policy has changed, and an admin may do it by value', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol])
    const { seq } = await propose(at(bob, group), removeOf(group, carol))
    await put(alice, group, 'policy', ADMINS)
    await goesOn(group, alice, seq)
    expect(group.members).toContain(carol.uri)
    await group.remove(carol.uri)
    expect(group.members).not.toContain(carol.uri)
  })
})
