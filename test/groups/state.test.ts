import { describe, expect, it } from '@jest/globals'
import { encodeTree } from '../../examples/client/mls/tree.js'
import { findGroupByGid } from '../../src/groups/repository/groups.repository.js'
import { Snapshots } from '../../src/groups/state/snapshots.job.js'
import { PublicStates } from '../../src/groups/state/public-states.js'
import { StateCache } from '../../src/groups/state/state-cache.js'
import { treeBytes } from '../../src/protocol/public-group/state.js'
import { at, refusal, useStage } from './group-fixture.js'

const stage = useStage()

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('the tracked state of a public group', () => {
  it('gives joiners the tree that members have, also of an epoch gone by, from wherever it is rebuilt', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice)
    const trees = new Map<number, string>()
    const remember = () => trees.set(group.epoch, hex(encodeTree(group.record.state.ratchetTree)))
    await group.add(bob.user)
    remember()
    await group.add(carol.user)
    remember()
    for (let epoch = 3; epoch <= 9; epoch++) {
      await (epoch === 6 ? group.remove(carol.uri) : group.update())
      remember()
    }
    const served = async (epoch: number) =>
      hex((await bob.device.http.get<{ ratchet_tree: Uint8Array }>(`${group.path}/tree?epoch=${epoch}`)).ratchet_tree)
    const gid = await stage.gid(group)
    for (const [epoch, expected] of trees)
      expect([epoch, await served(epoch), await rebuilt(gid, epoch)]).toEqual([epoch, expected, expected])
    expect(await refusal(bob.device.http.get(`${group.path}/tree?epoch=0`))).toMatchObject({ status: 404 })
    expect(await refusal(bob.device.http.get(`${group.path}/tree?epoch=99`))).toMatchObject({ status: 409, kind: 'epoch-ahead' })
    // Carol was added and removed while she was away: of the tree she may see what her Welcome needs, and no later one.
    expect(hex((await carol.device.http.get<{ ratchet_tree: Uint8Array }>(`${group.path}/tree?epoch=2`)).ratchet_tree)).toBe(trees.get(2))
    for (const query of ['', '?epoch=3', '?epoch=9'])
      expect(await refusal(carol.device.http.get(`${group.path}/tree${query}`))).toMatchObject({ status: 403 })
  })

  it('lets in whose Welcome is three epochs old', async () => {
    const [alice, carol] = await stage.cast('alice', 'carol')
    const group = await stage.group(alice)
    await group.add(carol.user)
    for (let epoch = 2; epoch <= 4; epoch++) await group.update()
    await stage.sync(carol)
    const joined = at(carol, group)
    expect(joined.epoch).toBe(4)
    expect(hex(joined.record.state.keySchedule.epochAuthenticator)).toBe(hex(group.record.state.keySchedule.epochAuthenticator))
    expect(hex(encodeTree(joined.record.state.ratchetTree))).toBe(hex(encodeTree(group.record.state.ratchetTree)))
  })

  it('is written down again when the Commits since outweigh it, and what an unread Welcome needs stays', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob])
    const gid = await stage.gid(group)
    const snapshots = stage.server.app.get(Snapshots, { strict: false })
    const epochs = async () =>
      (await stage.pool.query<{ epoch: bigint }>('SELECT epoch FROM group_snapshot WHERE gid = $1 ORDER BY epoch', [gid])).rows.map(
        ({ epoch }) => epoch,
      )
    await snapshots.take(gid)
    expect(await epochs()).toEqual([0n])

    await group.add(carol.user)
    const awaited = group.epoch
    const expected = hex(encodeTree(group.record.state.ratchetTree))
    const commits = async (count: number) => {
      for (let i = 0; i < count; i++) await group.update()
    }
    await commits(60)
    await snapshots.take(gid)
    const afterFirst = await epochs()
    expect(afterFirst[0]).toBe(0n)
    expect(afterFirst.length).toBeGreaterThanOrEqual(2)
    expect(await rebuilt(gid, awaited)).toBe(expected)

    await stage.pool.query(`DELETE FROM inbox WHERE gid = $1`, [gid])
    await commits(60)
    await snapshots.take(gid)
    expect((await epochs()).length).toBe(1)
    expect(await rebuilt(gid, group.epoch)).toBe(hex(encodeTree(group.record.state.ratchetTree)))
    expect(await refusal(alice.device.http.get(`${group.path}/tree?epoch=0`))).toMatchObject({ status: 404, kind: 'not-found' })
  })

  it('is rebuilt from the snapshot where retention has taken what would bring an older one up to date', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice, [])
    const gid = await stage.gid(group)
    const late = new PublicStates(stage.pool, new StateCache(), stage.trees)
    await late.at((await findGroupByGid(stage.pool, gid))!)
    for (let i = 0; i < 3; i++) await group.update()
    await stage.server.app.get(Snapshots, { strict: false }).take(gid, true)
    await group.update()
    await stage.pool.query('DELETE FROM log WHERE gid = $1 AND seq <= 3', [gid])
    const expected = hex(encodeTree(group.record.state.ratchetTree))
    for (const floor of [0n, 3n]) {
      const row = (await findGroupByGid(stage.pool, gid))!
      expect(hex(treeBytes((await late.at({ ...row, floorSeq: floor })).state))).toBe(expected)
    }
  })

  it('of a group that was ended stays as it was: what a ReInit announced is read from the epoch before', async () => {
    const [alice] = await stage.cast('alice')
    const group = await stage.group(alice, [])
    const gid = await stage.gid(group)
    await group.update()
    await stage.pool.query("UPDATE groups SET frozen = 'reinit' WHERE gid = $1", [gid])
    await stage.server.app.get(Snapshots, { strict: false }).take(gid, true)
    const { rows } = await stage.pool.query<{ epoch: bigint }>('SELECT epoch FROM group_snapshot WHERE gid = $1', [gid])
    expect(rows.map(({ epoch }) => epoch)).toEqual([0n])
  })
})

/** The tree as a node sees it that has just started: it knows nothing but what the database has. */
async function rebuilt(gid: bigint, epoch: number): Promise<string> {
  const group = await findGroupByGid(stage.pool, gid)
  const { state } = await new PublicStates(stage.pool, new StateCache(), stage.trees).at({ ...group!, epoch: BigInt(epoch) })
  return hex(treeBytes(state))
}
