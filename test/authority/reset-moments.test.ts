import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Group } from '../../examples/client/group.js'
import { utf8 } from '../../examples/client/wire.js'
import { at, draft, refusal, Stage, submit } from '../groups/group-fixture.js'
import { createPatientDatabase, type TestDatabase } from '../support/database.js'
import { startServer } from '../support/server.js'
import { GENEROUS } from '../support/world.js'
import { assignRoom } from '../../src/groups/rooms/room-administration.repository.js'
import { current, POLICY, RESERVED, report, reset, succeed, undo, view, waitGrace } from './rooms-fixture.js'
import { localName } from './scene-fixture.js'

// More than one connection waits for a group: what waits shows in PostgreSQL.
const stage = new Stage()
let database: TestDatabase
beforeAll(async () => {
  database = await createPatientDatabase()
  stage.server = await startServer({ ...GENEROUS, PG_POOL_API: '12', PG_STATEMENT_DEADLINE: '300s' }, { database })
})
afterAll(async () => {
  await stage.server.close()
  await database.drop()
})

describe.each(['public', 'private'] as const)('a room whose %s group was reset', (mode) => {
  it('has the policy that holds when its successor is accepted, and not one of an admin who is dismissed meanwhile', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice, [mallory], { mode, policy: POLICY })
    await alice.device.http.put(`${group.path}/admins/${localName(mallory)}`)
    await reset(alice, group)
    await waitGrace(stage, group)
    const unlock = await lockRow(group)
    const groupId = utf8(randomUUID())
    const policy = { ...POLICY, add_members: 'members' } as const
    const creating = refusal(mallory.createGroup({ groupId, mode, successorOf: group.record.groupId, policy }))
    await waiting(1)
    await alice.device.http.delete(`${group.path}/admins/${localName(mallory)}`)
    await unlock()
    expect(await creating).toMatchObject({ status: 403, kind: 'policy' })
    await succeed(mallory, group)
  })
})

describe.each(['public', 'private'] as const)('a reset of a %s group by reports', (mode) => {
  it('is not for one member and three fresh accounts', async () => {
    const [alice, bob, mallory, ...sybils] = await stage.cast('alice', 'bob', 'mallory', 'sybil-1', 'sybil-2', 'sybil-3')
    const group = await stage.group(alice, [bob, mallory], { mode })
    for (const sybil of sybils) await at(mallory, group).add(sybil.user)
    await stage.sync(...sybils)
    await at(mallory, group).update()
    await stage.sync(alice, bob, ...sybils)
    for (const sybil of sybils) await report(sybil, group, 5)
    expect(await report(sybils[0], group, 5)).toEqual({ reports: 3, needed: 4 })
    expect(await refusal(reset(sybils[0], group))).toMatchObject({ status: 403, kind: 'policy' })
    // A Commit from before they came is none of their business: they did not read it, or came by it.
    expect(await refusal(report(sybils[2], group, 3))).toMatchObject({ status: 404 })
    await alice.device.http.post(`${group.path}/reports`, { seq: 3, reason: 'other' })
    expect(await refusal(reset(sybils[0], group))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await view(alice, group)).not.toHaveProperty('frozen')
  })

  it('counts those who were members when the Commit was accepted, and is for one of them', async () => {
    const [alice, bob, carol, dave, erin] = await stage.cast('alice', 'bob', 'carol', 'dave', 'erin')
    const group = await stage.group(alice, [bob, carol, dave], { mode, policy: { reports_to_reset: 2 } })
    await group.update()
    await group.add(erin.user)
    await stage.sync(erin)
    expect(await report(bob, group, 2)).toEqual({ reports: 1, needed: 3 })
    await report(carol, group, 2)
    expect(await refusal(reset(bob, group))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await refusal(report(erin, group, 2))).toMatchObject({ status: 404 })
    expect(await report(dave, group, 2)).toEqual({ reports: 3, needed: 3 })
    expect(await refusal(reset(erin, group))).toMatchObject({ status: 403, kind: 'policy' })
    await reset(carol, group)
    expect(await refusal(succeed(bob, group))).toMatchObject(RESERVED)
    await succeed(carol, group)
  })

  it('does not come again by itself once an admin has taken it back: the reports are spent', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { mode, policy: { reports_to_reset: 1 } })
    await group.update()
    for (const client of [bob, carol]) await report(client, group, 2)
    await reset(bob, group)
    await undo(alice, group)
    expect(await refusal(reset(bob, group))).toMatchObject({ status: 403, kind: 'policy' })
    expect(await report(bob, group, 2)).toEqual({ reports: 1, needed: 2 })
    expect(await refusal(reset(bob, group))).toMatchObject({ status: 403, kind: 'policy' })
    await report(carol, group, 2)
    await reset(bob, group)
  })

  it('is judged when it is accepted: a reporter who leaves at the same moment does not count', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob, carol], { mode, policy: { reports_to_reset: 1 } })
    await group.update()
    await report(bob, group, 2)
    await report(carol, group, 2)
    const removal = await draft(group, [
      { proposalType: 'remove', remove: { removed: group.record.state.ratchetTree.findIndex((node) => uriOf(node) === carol.uri) / 2 } },
    ])
    const unlock = await lockRow(group)
    const removing = submit(alice, group, removal.bundle)
    await waiting(1)
    const resetting = refusal(reset(bob, group))
    await waiting(2)
    await unlock()
    await removing
    expect(await resetting).toMatchObject({ status: 403, kind: 'policy' })
  })
})

it('no member takes another along into a branch who leaves at the same moment', async () => {
  const [mallory, bob] = await stage.cast('mallory', 'bob')
  const group = await stage.group(mallory, [bob])
  const unlock = await lockRow(group)
  const leaving = bob.device.http.post(`${group.path}/leave`)
  await waiting(1)
  const wish = { before: group.record, origin: 'branch', groupId: utf8(randomUUID()), users: [bob.user] } as const
  const branching = refusal(mallory.beginAfter(wish))
  await waiting(2)
  await unlock()
  await leaving
  expect(await branching).toMatchObject({ status: 422, document: { rule: 'founding-members' } })
})

it('the operator gives no room to a group on the strength of what was current a moment ago', async () => {
  const [alice] = await stage.cast('alice')
  const group = await stage.group(alice)
  await reset(alice, group)
  const next = await succeed(alice, group)
  const { room } = await view(alice, next)
  await reset(alice, next)
  const unlock = await lockRow(next)
  const succeeding = succeed(alice, next)
  await waiting(1)
  const assigning = assignRoom(stage.pool, room, { groupId: group.record.groupId, adminId: null, grace: 60 })
  await waiting(2)
  await unlock()
  const newest = await succeeding
  expect(await assigning).toBe('changed')
  expect(await current(alice, { ...(await view(alice, newest)), room })).toEqual(newest.record.groupId)
})

function uriOf(node: unknown): string | undefined {
  const { leaf } = (node ?? {}) as { leaf?: { credential: { identity?: Uint8Array } } }
  return leaf?.credential.identity && Buffer.from(leaf.credential.identity).toString()
}

/** Holds the row of a group. @returns what lets it go */
async function lockRow(group: Group): Promise<() => Promise<void>> {
  const blocker = await stage.pool.connect()
  await blocker.query('BEGIN')
  await blocker.query('SELECT FROM groups WHERE group_id = $1 FOR UPDATE', [group.record.groupId])
  return async () => {
    await blocker.query('COMMIT')
    blocker.release()
  }
}

/** Until so many sessions wait for a lock. */
async function waiting(count: number): Promise<void> {
  for (;;) {
    const { rows } = await stage.pool.query<{ waiting: number }>(
      `SELECT count(*)::integer AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    )
    if (rows[0]!.waiting >= count) return
  }
}
