import { describe, expect, it } from '@jest/globals'
import { TakeUp } from '../../../src/federation/quotas/take-up.js'
import { eventually } from '../../support/eventually.js'
import type { TestServer } from '../../support/server.js'
import { opaque } from './peer/tls.js'
import { attacked, expectExact, hubs, number, offline, push, small, trap, useHubs } from './peer/trap.js'

// A hub that signs well writes into the database of another provider.

useHubs()

describe('the stage of a group', () => {
  const limits = { 'peer-new-group-bytes': 50_000, 'peer-joined-group-bytes': 150_000 }
  const stage = (server: TestServer) => number(server, 'SELECT max(stage) FROM replica_storage')

  it('is that of a new one until a member here has fetched its Welcome', async () => {
    const { server, a, world } = await attacked(small(limits))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    expect(await push(group, a, 2, 30_000)).toBe('held-back')
    await server.app.get(TakeUp).run()
    expect(await stage(server)).toBe(0)
    await server.pool.query("DELETE FROM inbox WHERE kind = 'welcome'")
    await server.app.get(TakeUp).run()
    expect(await stage(server)).toBe(1)
    expect(await push(group, a, 4, 30_000)).toBe('received')
    expect(await push(group, a, 1, 30_000)).toBe('held-back')
    await expectExact(server, hubs[0]!)
  })

  it('is that of a used one when a member here has acknowledged half of what came', async () => {
    const { server, a, world } = await attacked(small(limits))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    await server.pool.query("DELETE FROM inbox WHERE kind = 'welcome'")
    expect(await push(group, a, 4, 30_000)).toBe('received')
    await server.pool.query('UPDATE member SET acked = acked + 1')
    expect(await push(group, a, 2, 30_000)).toBe('held-back')
    await server.pool.query('UPDATE member SET acked = acked + 1')
    expect(await push(group, a, 2, 30_000)).toBe('received')
    expect(await stage(server)).toBe(2)
  })

  it('does not rise for a user who was only invited, or has blocked the group', async () => {
    const { server, a, world } = await attacked(small(limits))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    await server.pool.query("DELETE FROM inbox WHERE kind = 'welcome'")
    for (const delivery of ['invited', 'blocked']) {
      await server.pool.query('UPDATE member SET delivery = $1', [delivery])
      expect(await push(group, a, 2, 30_000)).toBe('held-back')
    }
  })

  it('counts for nothing once no member is left', async () => {
    const { server, a, world } = await attacked(small(limits))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    await server.pool.query('SELECT raise_stage(p_gid => gid, p_stage => 2::smallint) FROM replica_storage')
    expect(await push(group, a, 3, 30_000)).toBe('received')
    expect(await group.remove(a, alice.device.client)).toBe('received')
    expect(await push(group, a, 1, 30_000)).toBe('held-back')
  })
})

describe('the counters', () => {
  it('get back what a deletion frees, and the group is no new one any more', async () => {
    const { server, a, world } = await attacked()
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    expect(await push(group, a, 2, 30_000)).toBe('received')
    const body = Buffer.concat([opaque(group.roomId), opaque(group.groupId), Buffer.of(0, 0, 0, 1)])
    expect((await hubs[0]!.ask(a, 'deleteRoom', group.roomId, body)).status).toBe(200)
    const { rows } = await server.pool.query('SELECT bytes, new_bytes, new_groups FROM peer_storage')
    expect(rows).toEqual([{ bytes: 0n, new_bytes: 0n, new_groups: 0 }])
    expect(await number(server, 'SELECT count(*) FROM replica_storage')).toBe(0)
  })

  it('are shown to the operator', async () => {
    const { server, a, world } = await attacked(small({ 'peer-new-group-bytes': 10_000 }))
    const alice = await offline(world)
    await push(await trap(hubs[0]!, a, alice), a, 1, 20_000)
    const text = await eventually(
      async () => (await fetch(`${server.url}/metrics`)).text(),
      (metrics) => metrics.includes('federation_peers_held_back 1'),
    )
    expect(text).toMatch(/limits_refused_total\{limit="peer-new-group-bytes"\} 1/)
    expect(text).toMatch(/business_events_total\{event="peer.held_back"\} 1/)
  })
})
