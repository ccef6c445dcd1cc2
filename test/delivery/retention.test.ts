import { beforeEach, describe, expect, it } from '@jest/globals'
import { pino } from 'pino'
import { DeliveryMetrics } from '../../src/delivery/delivery-metrics.js'
import { readInbox } from '../../src/delivery/inbox/inbox.repository.js'
import { readMemberships } from '../../src/delivery/read/memberships.repository.js'
import { Retention } from '../../src/delivery/retention/retention.job.js'
import { loadConfig } from '../../src/platform/config/config.js'
import { Jobs } from '../../src/platform/jobs/jobs.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { testEnvironment } from '../support/server.js'
import { useTestDatabase } from '../support/database.js'
import { createHints, newDevice, TestGroup } from './delivery-node-fixture.js'

const DAY = 86_400_000
const database = useTestDatabase()
const asked: unknown[] = []
let retention: Retention
let [alice, bob] = [0n, 0n]
let group: TestGroup

beforeEach(async () => {
  const config = loadConfig(testEnvironment('postgres://localhost/none'))
  const jobs = Object.assign(new Jobs(config, pino({ level: 'silent' }), new Metrics()), {
    enqueue: async (...job: unknown[]) => void asked.push(job),
  })
  retention = new Retention(database.pool, config, jobs, createHints(), new DeliveryMetrics(new Metrics()))
  asked.length = 0
  ;[alice, bob] = [await newDevice(database.pool), await newDevice(database.pool)]
  group = await TestGroup.create(database.pool, alice)
})

const inDays = (days: number) => retention.run(new Date(Date.now() + days * DAY))
const acknowledge = (deviceId: bigint, seq: bigint) =>
  database.pool.query('UPDATE member SET acked = $3 WHERE device_id = $1 AND gid = $2', [deviceId, group.gid, seq])
async function log(): Promise<string> {
  const { rows } = await database.pool.query<{ text: string }>(
    "SELECT string_agg(kind || seq, ' ' ORDER BY seq) AS text FROM log WHERE gid = $1",
    [group.gid],
  )
  return rows[0]?.text ?? ''
}
async function floor(): Promise<bigint> {
  const { rows } = await database.pool.query<{ floor: bigint }>('SELECT floor_seq AS floor FROM groups WHERE gid = $1', [group.gid])
  return rows[0]!.floor
}
const snapshot = (epoch: bigint, seq: bigint) =>
  database.pool.query('INSERT INTO group_snapshot (gid, epoch, seq, bytes) VALUES ($1, $2, $3, $4)', [group.gid, epoch, seq, Buffer.of(1)])
const epochsOf = async (table: string) =>
  (await database.pool.query<{ epoch: bigint }>(`SELECT epoch FROM ${table} WHERE gid = $1 ORDER BY epoch`, [group.gid])).rows.map((row) =>
    Number(row.epoch),
  )

describe('application entries', () => {
  it('go once every cursor has passed and no resubmission can meet them any more', async () => {
    await group.add(bob)
    await group.say(4)
    await acknowledge(alice, 5n)
    await acknowledge(bob, 3n)
    await inDays(0.9)
    expect(await log()).toBe('c1 a2 a3 a4 a5')
    await inDays(1.1)
    expect(await log()).toBe('c1 a4 a5')
    expect(await floor()).toBe(0n)
  })

  it('stay for a device that was removed and has not read up to there', async () => {
    await group.add(bob)
    await group.say(2)
    await group.remove(bob)
    await acknowledge(alice, 4n)
    await inDays(2)
    expect(await log()).toBe('c1 a2 a3 c4')
    await acknowledge(bob, 4n)
    await inDays(2)
    expect(await log()).toBe('c1 c4')
  })

  it('go at their time, no matter who has not read them; the handshakes stay, and so nobody has to join again', async () => {
    await group.add(bob)
    await group.say(3)
    await inDays(29)
    expect(await log()).toBe('c1 a2 a3 a4')
    await inDays(31)
    expect(await log()).toBe('c1')
    expect((await readMemberships(database.pool, bob))[0]).toMatchObject({ resync: false, floorSeq: 0n })
  })

  it('go in batches, all of them in one run', async () => {
    for (let round = 0; round < 10; round++) await group.say(128)
    await group.say(1)
    await acknowledge(alice, 1_281n)
    await inDays(2)
    expect(await log()).toBe('')
  })
})

describe('handshakes', () => {
  it('go at their time: the floor moves, and devices behind it get resync', async () => {
    const carol = await newDevice(database.pool)
    await group.add(bob)
    await group.add(carol)
    await group.say(1)
    await acknowledge(alice, 3n)
    await acknowledge(carol, 2n)
    await snapshot(2n, 2n)
    await inDays(89)
    expect(await floor()).toBe(0n)
    await inDays(91)
    expect([await floor(), await log()]).toEqual([2n, ''])
    expect(await readMemberships(database.pool, bob)).toMatchObject([{ resync: true }])
    expect(await readMemberships(database.pool, carol)).toMatchObject([{ resync: false }])
    expect(await readInbox(database.pool, bob, [], 10, 1_000)).toMatchObject([{ kind: 'resync', incarnation: 1 }])
    expect(await readInbox(database.pool, carol, [], 10, 1_000)).toEqual([])
    await inDays(91)
    expect(await readInbox(database.pool, bob, [], 10, 1_000)).toHaveLength(1)
  })

  it('stay where the newest snapshot needs them, and a newer one is asked for', async () => {
    await group.add(bob)
    await group.commit({ groupInfo: Buffer.of(2) })
    await snapshot(1n, 1n)
    await inDays(91)
    expect([await floor(), await log()]).toEqual([1n, 'c2'])
    const job = ['groups.snapshot_v1', { gid: String(group.gid), due: true }, { dedupeId: `snapshot:${group.gid}` }]
    expect(asked).toContainEqual(job)
    asked.length = 0
    await snapshot(2n, 2n)
    await group.say(1) // aged as well, but no reason for a snapshot
    await inDays(91)
    expect(await floor()).toBe(2n)
    expect(asked).not.toContainEqual(job)
  })

  it('stay where a Welcome that waits needs them, with the snapshot before it, and go with it when it has expired', async () => {
    await group.commit({ groupInfo: Buffer.of(1) })
    await group.commit({ groupInfo: Buffer.of(2) })
    await snapshot(1n, 1n)
    await group.add(bob, 'welcome')
    await database.pool.query("UPDATE welcome SET expires_at = now() + interval '200 days' WHERE gid = $1", [group.gid])
    await group.commit({ groupInfo: Buffer.of(4) })
    await group.say(1)
    await snapshot(4n, 4n)
    await acknowledge(alice, 5n)
    await inDays(100)
    expect([await floor(), await log()]).toEqual([1n, 'c2 c3 c4'])
    expect(await epochsOf('group_snapshot')).toEqual([1, 4])
    expect(await epochsOf('group_info')).toEqual([1, 2, 4])
    expect(await readMemberships(database.pool, bob)).toMatchObject([{ awaitsWelcomeAck: true, resync: false }])
    await inDays(201)
    expect([await floor(), await log()]).toEqual([4n, ''])
    expect(await epochsOf('group_snapshot')).toEqual([4])
    expect(await epochsOf('group_info')).toEqual([4])
    expect(await readMemberships(database.pool, bob)).toMatchObject([{ awaitsWelcomeAck: false, resync: true }])
    expect(await readInbox(database.pool, bob, [], 10, 1_000)).toMatchObject([{ kind: 'resync' }])
  })

  it('of a private group need no snapshot', async () => {
    await database.pool.query("UPDATE groups SET mode = 'private' WHERE gid = $1", [group.gid])
    await database.pool.query('DELETE FROM group_snapshot WHERE gid = $1', [group.gid])
    await group.commit({ claimedRemoved: [], groupInfo: Buffer.of(1), tree: Buffer.of(1) })
    await group.commit({ claimedRemoved: [], groupInfo: Buffer.of(2), tree: Buffer.of(2) })
    await acknowledge(alice, 2n)
    await inDays(91)
    expect([await floor(), await log()]).toEqual([2n, ''])
    expect([await epochsOf('group_info'), await epochsOf('group_tree')]).toEqual([[2], [2]])
    expect((await database.pool.query('SELECT FROM commit_claim WHERE gid = $1', [group.gid])).rowCount).toBe(0)
  })
})

describe('Welcomes', () => {
  const welcomes = async () => (await database.pool.query('SELECT FROM welcome WHERE gid = $1', [group.gid])).rowCount

  it('go once everyone has acknowledged them', async () => {
    await group.add(bob, 'welcome')
    await inDays(0)
    expect(await welcomes()).toBe(1)
    await database.pool.query('DELETE FROM inbox WHERE device_id = $1', [bob])
    await inDays(0)
    expect(await welcomes()).toBe(0)
  })

  it('go when their KeyPackages have expired; devices that still are members get resync', async () => {
    const carol = await newDevice(database.pool)
    await group.add(bob, 'welcome')
    await group.add(carol, 'welcome')
    await group.remove(carol)
    await inDays(2)
    expect(await welcomes()).toBe(0)
    expect(await readInbox(database.pool, bob, [], 10, 1_000)).toMatchObject([{ kind: 'resync' }])
    expect(await readInbox(database.pool, carol, [], 10, 1_000)).toEqual([])
  })
})
