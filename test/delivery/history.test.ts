import { beforeEach, describe, expect, it } from '@jest/globals'
import { History } from '../../src/delivery/read/history.js'
import { deleteGroup } from '../../src/groups/repository/groups.repository.js'
import { useTestDatabase } from '../support/database.js'
import { callerOf, newDevice, problemOf, seqsOf, TestGroup } from './delivery-node-fixture.js'

const database = useTestDatabase()
let history: History
let [alice, bob] = [0n, 0n]
let group: TestGroup

beforeEach(async () => {
  history = new History(database.pool)
  ;[alice, bob] = [await newDevice(database.pool), await newDevice(database.pool)]
  group = await TestGroup.create(database.pool, alice)
})

describe('history', () => {
  const read = (deviceId: bigint, query: Parameters<History['read']>[2] = {}) => history.read(callerOf(deviceId), group.groupId, query)

  it('is cut to the intervals of the device, and moves no cursor', async () => {
    await group.say(2)
    await group.add(bob)
    await group.say(2)
    await group.remove(bob)
    await group.say(1)
    expect(seqsOf(await read(alice))).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(await read(bob)).toMatchObject({ head_seq: 6n, incarnation: 1 })
    expect(seqsOf(await read(bob))).toEqual([4, 5, 6])
    expect(await group.acked(bob)).toEqual([3n])
  })

  it('comes in pages', async () => {
    await group.say(5)
    const first = await read(alice, { from_seq: 2n, limit: 2 })
    expect([seqsOf(first), first.next_seq]).toEqual([[2, 3], 4n])
    const last = await read(alice, { from_seq: first.next_seq, limit: 2 })
    expect([seqsOf(last), last.next_seq]).toEqual([[4, 5], undefined])
    expect(seqsOf(await read(alice, { from_seq: 6n }))).toEqual([])
  })

  it('begins behind the Commit that began an epoch', async () => {
    await group.say(1)
    await group.commit()
    await group.say(1)
    await group.commit()
    expect(seqsOf(await read(alice, { from_epoch: 0n }))).toEqual([1, 2, 3, 4])
    expect(seqsOf(await read(alice, { from_epoch: 1n }))).toEqual([3, 4])
    expect(seqsOf(await read(alice, { from_epoch: 2n }))).toEqual([])
    expect(seqsOf(await read(alice, { from_epoch: 99n }))).toEqual([])
  })

  it('leaves out application entries of epochs before the device joined', async () => {
    await group.add(bob)
    await group.say(1, 0n)
    await group.say(1)
    expect(seqsOf(await read(bob))).toEqual([3])
  })

  it('waits for the Welcome', async () => {
    await group.add(bob, 'welcome')
    await group.say(1)
    expect(await read(bob)).toMatchObject({ entries: [], head_seq: 0n })
  })

  it('answers resync, and where the log begins now, for what was retired', async () => {
    await group.say(5)
    await database.pool.query('UPDATE groups SET floor_seq = 3 WHERE gid = $1', [group.gid])
    await database.pool.query('DELETE FROM log WHERE gid = $1 AND seq <= 3', [group.gid])
    expect(await problemOf(read(alice, { from_seq: 3n }))).toMatchObject({ status: 409, type: 'resync', extension: { from_seq: 4n } })
    expect(seqsOf(await read(alice, { from_seq: 4n }))).toEqual([4, 5])
    expect(seqsOf(await read(alice))).toEqual([4, 5])
  })

  it("is nobody else's: 404 for a stranger, as for no group, 410 for a deleted one", async () => {
    expect(await problemOf(read(bob))).toMatchObject({ status: 404, type: 'not-found' })
    expect(await problemOf(history.read(callerOf(bob), Buffer.from('none'), {}))).toMatchObject({ status: 404 })
    await deleteGroup(database.pool, 'localhost', group.gid)
    expect(await problemOf(read(alice))).toMatchObject({ status: 410, type: 'group-deleted' })
  })
})

describe('entries that went with a new incarnation', () => {
  const vanished = (deviceId: bigint, query: Parameters<History['vanished']>[2] = {}) =>
    history.vanished(callerOf(deviceId), group.groupId, query)
  const seqs = ({ entries }: Awaited<ReturnType<History['vanished']>>) => entries.map(({ seq }) => Number(seq))

  it('are shown to who was a member then: not from before it joined, nor from after it was removed', async () => {
    await group.say(2)
    await group.add(bob)
    await group.say(2)
    await group.remove(bob)
    await group.say(1)
    await database.pool.query(
      `INSERT INTO vanished_entry (gid, incarnation, seq, kind, epoch, hash) SELECT $1, 1, n, 'a', 0, sha256(n::text::bytea) FROM generate_series(1, 9) n`,
      [group.gid],
    )
    expect(seqs(await vanished(alice))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(seqs(await vanished(bob))).toEqual([4, 5, 6])
    const page = await vanished(bob, { limit: 2 })
    expect([seqs(page), page.next_seq]).toEqual([[4, 5], 6n])
  })
})
