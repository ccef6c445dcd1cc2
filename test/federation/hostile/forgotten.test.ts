import { describe, expect, it } from '@jest/globals'
import { TakeUp } from '../../../src/federation/quotas/take-up.js'
import { Retention } from '../../../src/delivery/retention/retention.job.js'
import { days, expectCounted, fillEverything, forget, full, gidsOf, KEPT, mentions, MOST } from './forgotten-fixture.js'
import type { HostileGroup } from './peer/hub.js'
import { attacked, hubs, number, offline, small, trap, useHubs } from './peer/trap.js'

// A hub, or a member of one, puts users into groups that they do not take up. Those come to an end.

useHubs()

describe('groups with which a hub has used up the places of a user', () => {
  it('are gone without a trace when the user has had the time to take them up, and the user gets into a new one', async () => {
    const { server, add, groups } = await full()
    const gids = await gidsOf(server, groups)
    expect(await add()).toBe('held-back')
    await days(server, KEPT - 1)
    await forget(server)
    expect(await gidsOf(server, groups)).toEqual(gids)
    expect(await add()).toBe('held-back')
    expect((await mentions(server, gids, groups)).length).toBeGreaterThan(8)
    await days(server, 2)
    await forget(server)
    expect(await mentions(server, gids, groups)).toEqual([])
    expect(await number(server, 'SELECT count(*) FROM room')).toBe(0)
    const rooms = groups.map(({ roomId }) => roomId)
    expect(await number(server, 'SELECT count(*) FROM handed_out_key_package WHERE room_id = ANY ($1)', [rooms])).toBe(0)
    await expectCounted(server)
    expect(await add()).toBe('received')
    await expectCounted(server)
  })

  it('are kept for as long as a KeyPackage may be good, where that is longer than the limit', async () => {
    const { server, a, world } = await attacked({ ...small({ 'peer-new-group-days': 1 }), KEY_PACKAGE_MAX_AGE: '5d' })
    const group = await trap(hubs[0]!, a, await offline(world))
    await days(server, 4)
    await forget(server)
    expect(await gidsOf(server, [group])).toHaveLength(1)
    await days(server, 2)
    await forget(server)
    expect(await gidsOf(server, [group])).toEqual([])
  })

  it('are gone from all tables that there are', async () => {
    const { server, groups } = await full()
    const [gid] = (await gidsOf(server, groups.slice(0, 1))) as [bigint]
    const filled = await fillEverything(server, gid)
    const before = await mentions(server, [gid], groups.slice(0, 1))
    expect(filled.filter((one) => !before.includes(one))).toEqual([])
    await days(server, KEPT + 1)
    // What stands there is no Welcome, and no member.
    await server.pool.query("DELETE FROM member WHERE gid = $1 AND delivery = 'filled'", [gid])
    await forget(server)
    expect(await mentions(server, [gid], groups.slice(0, 1))).toEqual([])
  })

  it('keep the places of nobody else: the count of the hub falls with that of the user', async () => {
    const { server } = await full()
    expect(await number(server, 'SELECT new_groups FROM peer_storage')).toBe(MOST)
    await days(server, KEPT + 1)
    await forget(server)
    expect(await number(server, 'SELECT new_groups FROM peer_storage')).toBe(0)
    expect(await number(server, 'SELECT new_groups + new_bytes + bytes FROM peer_user_storage')).toBe(0)
  })

  it('are free at once where the user has left them, which needs no time', async () => {
    const { server, groups, add } = await full()
    const gids = await gidsOf(server, groups)
    const leave = 'SELECT leave_group(p_gid => gid, p_device => device_id, p_replica => true) FROM member WHERE gid = ANY ($1)'
    await server.pool.query(leave, [gids.slice(0, 2)])
    await forget(server)
    expect(await gidsOf(server, groups)).toEqual(gids.slice(2))
    expect(await mentions(server, gids.slice(0, 2), groups.slice(0, 2))).toEqual([])
    await expectCounted(server)
    expect([await add(), await add(), await add()]).toEqual(['received', 'received', 'held-back'])
  })

  it('from which the hub has removed the user stay for as long as what came before may be read', async () => {
    const { server, a, alice, groups } = await full()
    const [removed] = groups as [HostileGroup]
    expect(await removed.remove(a, alice.device.client)).toBe('received')
    await days(server, 29)
    await forget(server)
    expect(await gidsOf(server, [removed])).toHaveLength(1)
    await days(server, 2)
    await forget(server)
    expect(await gidsOf(server, groups)).toHaveLength(MOST - 1)
    expect(await gidsOf(server, [removed])).toHaveLength(0)
    await expectCounted(server)
  })

  it('and which the user has blocked stay for as long, since users change their minds', async () => {
    const { server, alice, groups } = await full()
    const block = `SELECT set_delivery(p_group_id => $1, p_device => m.device_id, p_user => d.account_id, p_delivery => 'blocked')
                     FROM device d JOIN member m ON m.device_id = d.id JOIN groups g USING (gid) WHERE d.client_uri = $2 AND g.group_id = $1`
    await server.pool.query(block, [groups[0]!.groupId, alice.device.client])
    await days(server, 29)
    await forget(server)
    expect(await gidsOf(server, groups)).toHaveLength(MOST)
    await days(server, 2)
    await forget(server)
    expect(await gidsOf(server, groups)).toHaveLength(MOST - 1)
    await expectCounted(server)
  })
})

describe('a replica that somebody here has taken up', () => {
  /** In each case alice is in a group for years. */
  async function stays(takes: (all: Awaited<ReturnType<typeof full>>, gid: bigint) => Promise<unknown>): Promise<void> {
    const all = await full()
    const { server, groups } = all
    const [gid] = await gidsOf(server, groups)
    await takes(all, gid!)
    await days(server, 1_000)
    await forget(server)
    expect(await gidsOf(server, groups)).toEqual([gid])
    await expectCounted(server)
    expect(await number(server, "SELECT count(*) FROM log WHERE kind = 'a'")).toBe(3)
  }
  const fetched = "DELETE FROM inbox WHERE kind = 'welcome' AND gid = $1"

  it('is never forgotten: a device has its Welcome', () => stays(({ server }, gid) => server.pool.query(fetched, [gid])))
  it('is never forgotten: a device has acknowledged an entry', () =>
    stays(({ server }, gid) => server.pool.query('UPDATE member SET acked = from_seq WHERE gid = $1', [gid])))
  it('is never forgotten: its stage has risen, and it was read to the end', () =>
    stays(async ({ server }, gid) => {
      await server.pool.query(fetched, [gid])
      await server.app.get(TakeUp).run()
      await server.pool.query('UPDATE member SET resync = true WHERE gid = $1', [gid])
    }))
  it('is never forgotten: its Welcome was fetched and swept away before anybody looked', () =>
    stays(async ({ server }, gid) => {
      await server.pool.query(fetched, [gid])
      await server.app.get(Retention).run()
      expect(await number(server, 'SELECT count(*) FROM welcome WHERE gid = $1', [gid])).toBe(0)
    }))

  it('counts as such, and for no new group, where a device has come from outside by itself', async () => {
    const { server, groups } = await full()
    const [gid] = await gidsOf(server, groups)
    await server.pool.query("DELETE FROM inbox WHERE gid = $1 AND kind = 'welcome'", [gid])
    await server.pool.query('DELETE FROM welcome WHERE gid = $1', [gid])
    await server.app.get(TakeUp).run()
    expect(await number(server, 'SELECT new_groups FROM peer_storage')).toBe(MOST - 1)
  })
})
