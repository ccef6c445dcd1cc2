import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { writeAcks } from '../../../src/delivery/acks/acks.repository.js'
import { acknowledgeInbox } from '../../../src/delivery/inbox/inbox.repository.js'
import { Retention } from '../../../src/delivery/retention/retention.job.js'
import { forgetReplica } from '../../../src/federation/quotas/forgotten-replicas.repository.js'
import { TakeUp } from '../../../src/federation/quotas/take-up.js'
import type { Sql } from '../../../src/platform/postgres/sql.js'
import type { TestServer } from '../../support/server.js'
import { days, expectCounted, forget, gidsOf, mentions } from './forgotten-fixture.js'
import { claimFor, type HostileGroup } from './peer/hub.js'
import { refOf, welcome } from './peer/mls.js'
import { attacked, hubs, number, offline, push, small, trap, useHubs } from './peer/trap.js'

// Somebody takes a replica up, or its hub writes to it, in the moment in which it is forgotten.

useHubs()

const ROUNDS = 40
const AFTER = { kept: 90 * 86_400_000, read: 30 * 86_400_000 }
/** So that sometimes one and sometimes the other comes first. */
const late = (round: number) => sleep((round * 7) % 23)

/** Users who are away, of whom the first is in a group of which the time is over. */
async function due() {
  const all = await attacked(small({ 'peer-new-groups-of-user': 1_000 }))
  const [alice, bob] = [await offline(all.world), await offline(all.world)]
  const group = async () => {
    const made = await trap(hubs[0]!, all.a, alice)
    await days(all.server, 91)
    const [gid] = (await gidsOf(all.server, [made])) as [bigint]
    const { rows } = await all.server.pool.query<{ device: bigint; id: bigint }>(
      'SELECT device_id AS device, id FROM inbox WHERE gid = $1',
      [gid],
    )
    return { made, gid, waiting: rows[0]! }
  }
  return { ...all, alice, bob, group }
}

/** All of a replica is there, or nothing of it. */
async function expectWhole(server: TestServer, gid: bigint, group: HostileGroup, gone: boolean): Promise<void> {
  const found = await mentions(server, [gid], [group])
  if (gone) return expect(found).toEqual([])
  const whole = ['followed_group.gid', 'groups.gid', 'log.gid', 'member.gid', 'replica_storage.gid', 'room.current_gid']
  expect(found).toEqual(expect.arrayContaining(whole))
  expect(await number(server, 'SELECT count(*) FROM log WHERE gid = $1', [gid])).toBe(
    await number(server, 'SELECT head_seq - floor_seq FROM groups WHERE gid = $1', [gid]),
  )
}

describe('a replica that is taken up in the moment in which it is forgotten', () => {
  it('stays where its Welcome was acknowledged first; otherwise there is nothing to acknowledge any more', async () => {
    const { server, group } = await due()
    const { pool } = server
    const outcomes = new Set<string>()
    for (let round = 0; round < ROUNDS; round++) {
      const { made, gid, waiting } = await group()
      const [gone, acknowledged] = await Promise.all([
        sleep(round % 3).then(() => forgetReplica(pool, gid, AFTER)),
        sleep((round + 1) % 3).then(() => acknowledgeInbox(pool, waiting.device, [waiting.id])),
      ])
      expect([gone, acknowledged]).toEqual(gone ? [true, []] : [false, ['welcome']])
      await expectWhole(server, gid, made, gone)
      outcomes.add(gone ? 'gone' : 'taken up')
      await forget(server)
      await expectWhole(server, gid, made, gone)
    }
    await expectCounted(server)
    expect([...outcomes].toSorted()).toEqual(['gone', 'taken up'])
  })

  it.each<[string, (sql: Sql, gid: bigint, waiting: { device: bigint; id: bigint }) => Promise<unknown>]>([
    ['of its Welcome', (sql, _gid, { device, id }) => acknowledgeInbox(sql, device, [id])],
    ['of an entry', (sql, gid, { device }) => writeAcks(sql, [{ deviceId: device, gid, incarnation: 1, seq: 2n }], true)],
  ])('waits for an acknowledgement %s that is under way, and stays', async (_what, acknowledge) => {
    const { server, a, group } = await due()
    const { made, gid, waiting } = await group()
    expect(await push(made, a, 1, 100)).toBe('received')
    await days(server, 91)
    const client = await server.pool.connect()
    await client.query('BEGIN')
    await acknowledge(client, gid, waiting)
    const gone = forgetReplica(server.pool, gid, AFTER)
    await sleep(200)
    await client.query('COMMIT')
    client.release()
    expect(await gone).toBe(false)
    await expectWhole(server, gid, made, false)
  })

  it('is whole or gone, whatever else happens to it', async () => {
    const { server, group, a } = await due()
    const { pool } = server
    for (let round = 0; round < ROUNDS; round++) {
      const { made, gid, waiting } = await group()
      await push(made, a, 2, 100)
      await days(server, 91)
      const ack = { deviceId: waiting.device, gid, incarnation: 1, seq: 2n }
      const [one, other] = await Promise.all([
        forgetReplica(pool, gid, AFTER),
        late(round).then(() => forgetReplica(pool, gid, AFTER)),
        late(round + 1).then(() => writeAcks(pool, [ack], true)),
        late(round + 2).then(() => server.app.get(TakeUp).run()),
        late(round + 3).then(() => server.app.get(Retention).run()),
        pool.query('SELECT follow_stop(p_gid => gid, p_frozen => $2, p_successor => NULL) FROM groups WHERE gid = $1', [gid, 'reset']),
      ])
      expect(one && other).toBe(false)
      const isHere = (await gidsOf(server, [made])).length > 0
      expect(isHere).toBe(!(one || other))
      if (!isHere) expect(await mentions(server, [gid], [made])).toEqual([])
    }
    await expectCounted(server)
  })
})

describe('a replica to which its hub writes in the moment in which it is forgotten', () => {
  it('is whole or gone, and the hub hears which', async () => {
    const { server, group, a } = await due()
    const outcomes = new Set<string>()
    for (let round = 0; round < ROUNDS; round++) {
      const { made, gid } = await group()
      const [gone, told] = await Promise.all([late(round).then(() => forgetReplica(server.pool, gid, AFTER)), push(made, a, 3, 500)])
      expect(['received', 'have']).toContain(told)
      if (told === 'have') expect(gone).toBe(true)
      await expectWhole(server, gid, made, gone)
      outcomes.add(`${told} ${gone}`)
    }
    await expectCounted(server)
    expect(outcomes.size).toBeGreaterThan(1)
  })

  it('stays for a device that joins in that moment, or begins with it', async () => {
    const { server, group, a, bob } = await due()
    const outcomes = new Set<string>()
    for (let round = 0; round < ROUNDS / 2; round++) {
      const { made, gid } = await group()
      const ref = refOf(await claimFor(hubs[0]!, a, bob.user, made.roomId))
      const [gone, told] = await Promise.all([
        late(round).then(() => forgetReplica(server.pool, gid, AFTER)),
        made.add(a, bob.device.client, welcome([ref])),
      ])
      // One that comes first gives the replica another 90 days; one that comes second makes another.
      expect(told).toBe('received')
      expect(await gidsOf(server, [made])).toHaveLength(1)
      expect(
        await number(server, "SELECT count(*) FROM inbox WHERE kind = 'welcome' AND gid = ANY ($1)", [await gidsOf(server, [made])]),
      ).toBe(gone ? 1 : 2)
      if (gone) expect(await mentions(server, [gid], [])).toEqual([])
      outcomes.add(String(gone))
    }
    await expectCounted(server)
    expect(outcomes.size).toBe(2)
  })
})
