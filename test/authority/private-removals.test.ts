import { describe, expect, it } from '@jest/globals'
import type { Node, RatchetTree } from 'ts-mls'
import { treeHashRoot } from 'ts-mls/treeHash.js'
import type { Client } from '../../examples/client/client.js'
import { groupInfo, members } from '../../examples/client/commits.js'
import type { Group } from '../../examples/client/group.js'
import { joinExternally } from '../../examples/client/joining.js'
import { suite } from '../../examples/client/mls/suites.js'
import { encodeTree } from '../../examples/client/mls/tree.js'
import { keyPackageRef } from '../../src/protocol/mls/hashes.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'
import { selfRemove } from '../groups/hostile.js'
import { RevokedDeviceRemovals } from '../../src/groups/removal/revoked-device-removals.js'
import { eventually } from '../support/eventually.js'
import { forgeWelcome } from '../support/mls/forge.js'

const stage = useStage()
const ADMINS = { add_members: 'admins', remove_members: 'admins' } as const
const PRIVATE = { mode: 'private', policy: { ...ADMINS, external_join: 'same-user' } } as const

const leave = ({ device }: Client, group: Group) => device.http.post<{ proposed: boolean }>(`${group.path}/leave`)
const leafOf = (group: Group, client: Client) => members(group.record.state).find((member) => member.client === client.uri)!.leafIndex
const proposalsIn = async (group: Group) => (await stage.log(group)).filter((entry) => entry.startsWith('p'))
const endingOf = async (group: Group, client: Client) => {
  const { rows } = await stage.pool.query<{ ended: string | null }>(
    'SELECT ended FROM member WHERE gid = $1 AND device_id = $2 ORDER BY from_seq',
    [await stage.gid(group), await stage.deviceId(client)],
  )
  return rows.map(({ ended }) => ended)
}

async function join(client: Client, group: Group): Promise<void> {
  const { groupId, mode, suite: id } = group.record
  client.store.put(await joinExternally(client.device, { groupId, mode, suite: id, resync: false }))
}

/** An honest Commit that shows joiners a tree in which two leaves have changed places, signed from the leaf that is wrong. */
async function lie(group: Group, own: Client, victim: Client): Promise<void> {
  const { bundle, next } = await draft(group)
  const [ownIndex, itsIndex] = [leafOf(group, own), leafOf(group, victim)]
  // Without parents, whose hashes would tell.
  const tree: RatchetTree = next.ratchetTree.map((node: Node | undefined, at: number) => (at % 2 === 0 ? node : undefined))
  ;[tree[2 * ownIndex], tree[2 * itsIndex]] = [tree[2 * itsIndex], tree[2 * ownIndex]]
  const { impl } = await suite(group.record.suite)
  const groupContext = { ...next.groupContext, treeHash: await treeHashRoot(tree, impl.hash) }
  const shown = { ...next, ratchetTree: tree, groupContext, privatePath: { ...next.privatePath, leafIndex: itsIndex } }
  await submit(own, group, { ...bundle, group_info: await groupInfo(shown, impl), ratchet_tree: encodeTree(tree) })
}

describe('a member of a private group who shows a tree with its own leaf in the place of another', () => {
  it('gets nobody removed by asking to leave', async () => {
    const [alice, mallory, victim] = await stage.cast('alice', 'mallory', 'victim')
    const group = await stage.group(alice, [mallory, victim], PRIVATE)
    await lie(at(mallory, group), mallory, victim)
    expect(await leave(mallory, group)).toEqual({ proposed: false })
    await stage.sync(alice)
    await group.update()
    expect(await proposalsIn(group)).toEqual([])
    expect(group.members).toContain(victim.uri)
  })

  it('nor by what another device asked for before', async () => {
    const [alice, mallory, carol, victim] = await stage.cast('alice', 'mallory', 'carol', 'victim')
    const group = await stage.group(alice, [mallory, carol, victim], PRIVATE)
    await leave(carol, group)
    await stage.sync(mallory)
    await lie(at(mallory, group), mallory, victim)
    expect(await proposalsIn(group)).toEqual([])
  })
})

describe('a Welcome of a private group for a device that is in it', () => {
  /** A Welcome for another KeyPackage of the victim, which nobody can open. */
  async function bogus(by: Client, group: Group, victim: Client, claims: { removed?: string[] } = {}) {
    const { key_packages: claimed } = await by.device.claim(victim.user, 1)
    const ref = keyPackageRef(1, claimed[0]!.key_package.slice(4))!
    return submit(by, group, { ...(await draft(at(by, group))).bundle, welcomes: [forgeWelcome([ref])], ...claims })
  }

  it.each(['none', 'same-user'] as const)(
    'is refused, and the device gets what is posted to it (external joins: %s)',
    async (external_join) => {
      const [alice, mallory, victim] = await stage.cast('alice', 'mallory', 'victim')
      const group = await stage.group(alice, [mallory, victim], { mode: 'private', policy: { external_join } })
      const late = await group.encrypt('late', group.epoch)
      expect(await refusal(bogus(mallory, group, victim))).toMatchObject({ status: 422, document: { rule: 'one-leaf-per-client' } })
      await alice.device.http.postMessage(`${group.path}/messages`, late)
      await stage.sync(victim)
      expect(at(victim, group).texts).toContain('late')
      expect(await endingOf(group, victim)).toEqual([null])
    },
  )

  it('is accepted of who may remove the device and says so, and of nobody else', async () => {
    const [alice, mallory, victim] = await stage.cast('alice', 'mallory', 'victim')
    const group = await stage.group(alice, [mallory, victim], {
      mode: 'private',
      policy: { remove_members: 'admins', external_join: 'none' },
    })
    expect(await refusal(bogus(mallory, group, victim, { removed: [victim.uri] }))).toMatchObject({ status: 403, kind: 'policy' })
    await bogus(alice, group, victim, { removed: [victim.uri] })
    expect(await endingOf(group, victim)).toEqual(['removed', null])
  })
})

describe('a removal by an admin of a private group', () => {
  it('holds against who revoked the device before', async () => {
    const [alice, phone, tablet] = await stage.cast('alice', 'mallory/phone', 'mallory/tablet')
    const group = await stage.group(alice, [phone, tablet], { mode: 'private', policy: { ...ADMINS, external_join: 'open' } })
    await at(phone, group).remove(tablet.uri)
    await stage.sync(alice, tablet)
    await tablet.device.revoke('phone')
    await group.remove(phone.uri)
    expect(await refusal(join(tablet, group))).toMatchObject({ status: 403, kind: 'policy' })
  })

  it('lets go who asked, by the admin’s client too, and leaves the way back open', async () => {
    const [alice, bob, phone, tablet] = await stage.cast('alice', 'bob', 'carol/phone', 'carol/tablet')
    const group = await stage.group(alice, [bob, phone, tablet], { mode: 'private', policy: { ...ADMINS, external_join: 'open' } })
    await at(phone, group).remove(tablet.uri)
    await stage.sync(alice, tablet)
    await leave(bob, group)
    await tablet.device.revoke('phone')
    await group.update()
    expect(group.members).toEqual([alice.uri])
    expect([await endingOf(group, bob), await endingOf(group, phone)]).toEqual([['left'], ['revoked']])
    await join(bob, group)
    await stage.sync(alice)
    await join(tablet, group)
  })

  it('is no letting go of who did not ask', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], PRIVATE)
    const { bundle } = await draft(at(bob, group))
    expect(await refusal(submit(bob, group, { ...bundle, let_go: [carol.uri] }))).toMatchObject({
      status: 422,
      document: { rule: 'let-go' },
    })
  })
})

describe('a member who may remove others, and is no admin', () => {
  it.each(['public', 'private'] as const)('lets go who has asked, also by a Remove of its own (%s)', async (mode) => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { mode, policy: { external_join: 'open' } })
    await leave(carol, group)
    await at(bob, group).remove(carol.uri)
    expect(await endingOf(group, carol)).toEqual(['left'])
    await stage.sync(alice)
    await join(carol, group)
  })

  it.each(['public', 'private'] as const)('throws out who has not (%s)', async (mode) => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { mode, policy: { external_join: 'open' } })
    await at(bob, group).remove(carol.uri)
    await stage.sync(alice)
    expect(await refusal(join(carol, group))).toMatchObject({ status: 403, kind: 'policy' })
  })
})

describe('the members of a private group', () => {
  const noticesOf = async ({ device }: Client) => {
    const { inbox } = await device.http.get<{ inbox: { kind: string; clients?: string[] }[] }>('/v1/events')
    return inbox.filter(({ kind }) => kind === 'group.leaving').map(({ clients }) => clients)
  }

  it('are told who is to go, in one notice that is new with each, and remove them before they send', async () => {
    const [alice, bob, phone, tablet, dave] = await stage.cast('alice', 'bob', 'carol/phone', 'carol/tablet', 'dave')
    const group = await stage.group(alice, [bob, phone, tablet, dave], { mode: 'private' })
    await leave(bob, group)
    expect(await noticesOf(alice)).toEqual([[bob.uri]])
    await tablet.device.revoke('phone')
    await eventually(
      () => noticesOf(dave),
      (notices) => notices[0]?.length === 2,
    )
    expect(await noticesOf(dave)).toEqual([[bob.uri, phone.uri].toSorted()])
    expect(await noticesOf(bob)).toEqual([])
    await alice.poll()
    await at(alice, group).send('after them')
    expect(at(alice, group).members.toSorted()).toEqual([alice.uri, dave.uri, tablet.uri].toSorted())
    expect([await endingOf(group, bob), await endingOf(group, phone)]).toEqual([['left'], ['revoked']])
    expect(await noticesOf(dave)).toEqual([[]])
  })

  it('are told once, however often the device asks', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode: 'private' })
    await leave(bob, group)
    await alice.poll()
    await leave(bob, group)
    await stage.server.app.get(RevokedDeviceRemovals, { strict: false }).sweep()
    expect(await noticesOf(alice)).toEqual([])
  })
})

describe.each(['none', 'same-user'] as const)('a SelfRemove that waits in a private group (external joins: %s)', (external_join) => {
  it('is a wish to leave: any member lets its sender go, who may come back as the policy says', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { mode: 'private', policy: { ...ADMINS, external_join } })
    const own = at(carol, group)
    const removeBob = [{ proposalType: 'remove' as const, remove: { removed: leafOf(own, bob) } }]
    const letGo = async () => submit(carol, group, { ...(await draft(own, removeBob)).bundle, removed: [], let_go: [bob.uri] })
    expect(await refusal(letGo())).toMatchObject({ status: 422, document: { rule: 'let-go' } })
    await bob.device.http.post(`${group.path}/proposals`, { proposal: await selfRemove(at(bob, group)) })
    expect(await carol.device.http.get(group.path)).toMatchObject({ leaving: [bob.uri] })
    await letGo()
    expect(await endingOf(group, bob)).toEqual(['left'])
    expect(await alice.device.http.get(group.path)).not.toHaveProperty('leaving')
  })
})
