import { describe, expect, it } from '@jest/globals'
import { at, joined, removed } from '../../support/world.js'
import { eventually } from '../../support/eventually.js'
import { allHeard, draftUser, entered, plainGroup, roomOf, useDraftWorld } from './draft-world.js'
import { UPDATE_CODES } from './peer/room-bodies.js'

describe('a provider that speaks the draft alone, in a room here', () => {
  const draft = useDraftWorld()

  it('finds the endpoints of the draft in a directory over mutual TLS (§5.1)', async () => {
    const directory = await draft.b.caller.directory('a.example')
    expect(Object.keys(directory).sort()).toEqual(
      [
        'groupInfo',
        'identifierQuery',
        'keyMaterial',
        'notify',
        'reportAbuse',
        'requestConsent',
        'submitMessage',
        'update',
        'updateConsent',
      ].sort(),
    )
    for (const template of Object.values(directory)) expect(template).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/.*\{\w+\}$/)
  })

  it.each(['b', 'c'] as const)('has a user who is added, chats, renews keys and leaves (%s.example)', async (name) => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft[name], 'bob')
    const group = await plainGroup(draft.world, alice)
    const room = await roomOf(group)
    await group.add(bob!.device.user)
    await entered(bob!, room)
    await group.send('hello')
    await allHeard(room, [group], [bob!], ['hello'])
    await bob!.send(room, 'hello yourself')
    await allHeard(room, [group], [bob!], ['hello', 'hello yourself'])
    await bob!.refresh(room)
    await bob!.send(room, 'new keys')
    await allHeard(room, [group], [bob!], ['hello', 'hello yourself', 'new keys'])
    await bob!.leave(room)
    await alice.until('the Proposal', () => Object.keys(group.record.state.unappliedProposals).length === 1)
    await group.send('bye')
    await eventually(
      () => bob!.device.group(room).standing,
      (standing) => standing === 'removed',
    )
    expect(group.members).toEqual([alice.uri])
  })

  it('has users with two devices, and adds others: of this server, its own and of a third provider (§3.3, §5.2)', async () => {
    const [alice, carol] = await draft.world.cast('alice', 'carol')
    const [bob, laptop] = await draftUser(draft.b, 'bob', 'phone', 'laptop')
    const [bert] = await draftUser(draft.b, 'bert')
    const [dave] = await draftUser(draft.c, 'dave')
    const group = await plainGroup(draft.world, alice)
    const room = await roomOf(group)
    await group.add(bob!.device.user)
    await Promise.all([entered(bob!, room), entered(laptop!, room)])
    await bob!.add(room, carol.user, bert!.device.user, dave!.device.user)
    await Promise.all([joined(carol, group.record.groupId), entered(bert!, room), entered(dave!, room)])
    await dave!.send(room, 'from c')
    await at(carol, group).send('from a')
    await laptop!.send(room, 'from b')
    await allHeard(room, [group, at(carol, group)], [bob!, laptop!, bert!, dave!], ['from c', 'from a', 'from b'])
    await bob!.removeUser(room, carol.user)
    await removed(carol, group.record.groupId)
    await group.remove(bert!.device.client)
    await eventually(
      () => bert!.device.group(room).standing,
      (standing) => standing === 'removed',
    )
    await dave!.send(room, 'fewer')
    await allHeard(room, [group], [bob!, laptop!, dave!], ['from c', 'from a', 'from b', 'fewer'])
  })

  it('has a further device that joins by an external Commit, where the room is open (§3.6, §5.6)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob, laptop] = await draftUser(draft.b, 'bob', 'phone', 'laptop')
    const group = await plainGroup(draft.world, alice, [], 'open')
    const room = await roomOf(group)
    await bob!.joinExternally(room)
    await laptop!.joinExternally(room)
    await laptop!.send(room, 'in')
    await allHeard(room, [group], [bob!, laptop!], ['in'])
  })

  it('is refused the GroupInfo of a room that nobody joins from outside, and of one that is not there (§5.6)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await roomOf(await plainGroup(draft.world, alice, [], 'none'))
    for (const uri of [room, `${room}-not`]) await expect(bob!.joinExternally(uri)).rejects.toThrow('No GroupInfo: 2')
  })

  it('learns the epoch when its Commit comes second, and goes on (§5.3)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const [dave] = await draftUser(draft.c, 'dave')
    const group = await plainGroup(draft.world, alice)
    const room = await roomOf(group)
    await group.add(bob!.device.user, dave!.device.user)
    await Promise.all([entered(bob!, room), entered(dave!, room)])
    const outcomes = await Promise.all([bob!, dave!].map((one) => one.tryCommit(room, () => [])))
    expect(outcomes.map(({ code }) => code).sort()).toEqual([UPDATE_CODES.success, UPDATE_CODES.wrongEpoch])
    expect(outcomes.find(({ code }) => code === UPDATE_CODES.wrongEpoch)?.currentEpoch).toBe(2n)
    await Promise.all([group.update(), bob!.refresh(room), dave!.refresh(room)])
    const texts = Array.from({ length: 10 }, (_, index) => [`a ${index}`, `b ${index}`, `c ${index}`]).flat()
    const say = async (send: (text: string) => Promise<unknown>, who: string) => {
      for (const text of texts.filter((one) => one.startsWith(who))) await send(text)
    }
    await Promise.all([
      say((text) => group.send(text), 'a'),
      say((text) => bob!.send(room, text), 'b'),
      say((text) => dave!.send(room, text), 'c'),
    ])
    await allHeard(room, [group], [bob!, dave!], texts)
  })

  it('commits without a tree, which the hub makes itself (RatchetTreeOption distributionService)', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const [dave] = await draftUser(draft.c, 'dave')
    const group = await plainGroup(draft.world, alice)
    const room = await roomOf(group)
    await group.add(bob!.device.user)
    await entered(bob!, room)
    bob!.withTree = false
    await bob!.add(room, dave!.device.user)
    await entered(dave!, room)
    await dave!.send(room, 'seen')
    await allHeard(room, [group], [bob!, dave!], ['seen'])
  })
})
