import { describe, expect, it } from '@jest/globals'
import { days, expectCounted, forget, full, gidsOf, KEPT } from './forgotten-fixture.js'
import { claimFor, HostileGroup } from './peer/hub.js'
import { privateMessage, refOf, welcome } from './peer/mls.js'
import { groupAt, hubs, number, offline, useHubs } from './peer/trap.js'

// What a hub does for or with groups that nobody takes up.

useHubs()

describe('what a hub could do to keep a replica that nobody takes up', () => {
  it('is not to leave the Welcome out of which a device is said to have come: it has not joined then', async () => {
    const { server, a, alice } = await full()
    await days(server, KEPT + 1)
    await forget(server)
    const group = groupAt(hubs[0]!)
    const ref = refOf(await claimFor(hubs[0]!, a, alice.user, group.roomId))
    const welcomes = [{ seq: 1, clients: [], message: welcome([ref]) }]
    expect(await group.commit(a, { roster: [{ seq: 1, client: alice.device.client }], welcomes })).toBe('roster-refused')
    expect(await number(server, 'SELECT count(*) FROM groups')).toBe(0)
  })

  it('is not to send more, nor to say that the group has stopped', async () => {
    const { server, a, groups } = await full()
    await days(server, KEPT + 1)
    for (const group of groups) expect(await group.say(a)).toBe('received')
    await server.pool.query("SELECT follow_stop(p_gid => gid, p_frozen => 'reset', p_successor => NULL) FROM groups")
    await forget(server)
    expect(await gidsOf(server, groups)).toEqual([])
  })

  it('is to add another device, which has its own time', async () => {
    const { server, a, world, groups } = await full()
    const bob = await offline(world)
    await days(server, KEPT - 1)
    const [group] = groups as [HostileGroup]
    const ref = refOf(await claimFor(hubs[0]!, a, bob.user, group.roomId))
    expect(await group.add(a, bob.device.client, welcome([ref]))).toBe('received')
    await days(server, 2)
    await forget(server)
    expect(await gidsOf(server, groups)).toHaveLength(1)
    await days(server, KEPT)
    await forget(server)
    expect(await gidsOf(server, groups)).toEqual([])
    await expectCounted(server)
  })

  it('is to have shown two histories: it stays stopped until the operator has looked, and counts', async () => {
    const { server, groups } = await full()
    await server.pool.query("UPDATE followed_group SET stopped = 'equivocation' WHERE group_id = $1", [groups[0]!.groupId])
    await days(server, KEPT + 1)
    await forget(server)
    expect(await gidsOf(server, groups)).toHaveLength(1)
    expect(await number(server, 'SELECT new_groups FROM peer_storage')).toBe(1)
  })
})

describe('a group that was forgotten', () => {
  it('is not known: its hub hears that nothing is there, and is believed about no device by what brought it in before', async () => {
    const { server, a, alice, groups } = await full()
    const [group] = groups as [HostileGroup]
    await days(server, KEPT + 1)
    await forget(server)
    expect(await group.say(a)).toBe('have')
    const again = new HostileGroup(hubs[0]!, group.groupId, group.roomId)
    expect(await again.commit(a, { roster: [{ seq: 1, client: alice.device.client }] })).toBe('roster-refused')
    expect(await number(server, 'SELECT count(*) FROM followed_group')).toBe(0)
  })

  it('comes back by a new Welcome, and its hub hears where in a batch that stands', async () => {
    const { server, a, alice, groups } = await full()
    const [group] = groups as [HostileGroup]
    await days(server, KEPT + 1)
    await forget(server)
    const ref = refOf(await claimFor(hubs[0]!, a, alice.user, group.roomId))
    const { client } = alice.device
    const seq = group.seq + 2
    const roster = [
      { seq: seq - 1, client, change: 'left' },
      { seq, client },
    ] as const
    const welcomes = [{ seq, clients: [client], message: welcome([ref]) }]
    const entries = [group.epoch, group.epoch + 1].map((epoch) => {
      const message = privateMessage({ groupId: group.groupId, epoch }, 'commit')
      return { kind: 'commit', epoch, message } as const
    })
    const { body } = await hubs[0]!.ask(a, 'notify', group.roomId, group.batch(a.domain, entries, { roster, welcomes }).bytes)
    // `have`, the incarnation, and the place before the Commit that brings the device back.
    expect([body[0], body.readUInt32BE(1), Number(body.readBigUInt64BE(5))]).toEqual([1, 1, seq - 1])
    const { chain } = group.batch(a.domain, entries.slice(0, 1))
    Object.assign(group, { seq: seq - 1, epoch: group.epoch + 1, chain })
    expect(await group.add(a, client, welcome([ref]), entries[1]!.message)).toBe('received')
    expect(await number(server, "SELECT count(*) FROM inbox WHERE kind = 'welcome'")).toBe(1)
    await expectCounted(server)
  })
})
